import { isNotifyArn } from "./announce/aws.js"
import { isKeyReference } from "./attestation/key.js"
import { isSignerProfile } from "./attestation/managed.js"
import { parseSeverity } from "./ecr/scan.js"
import { pauseStages } from "./ecs/pause.js"
import { parseArgs } from "./image/dockerfile.js"
import { UserError } from "./lib/errors.js"
import { namesIn, partsOf } from "./lib/list.js"
import { flagOf, type Settings } from "./settings.js"

/** The arguments of a single call, besides the settings. */
export type CallOptions = { timeout?: number; severity?: string; to?: number }

/**
 * Checks everything that a person typed before anything uses it: a typo must not cost a version.
 *
 * @throws UserError for the first argument that can't be right, with what it has to be
 */
export function validate(settings: Settings, { timeout, severity = "", to }: CallOptions = {}): void {
  const mistake = firstMistake(settings)
  if (mistake) {
    const { flag, value, takes } = mistake
    throw new UserError(
      `${flag} does not accept ${JSON.stringify(value.slice(0, 100))}.`,
      "",
      `It must be ${takes}.`,
    )
  }
  parseArgs(settings.buildArgs)
  if (severity !== "") parseSeverity(severity)
  if (timeout !== undefined && !(Number.isInteger(timeout) && timeout >= 1 && timeout <= 86_400)) {
    throw new UserError(`--timeout does not accept ${timeout}.`, "", "It must be whole seconds, 1 to 86400.")
  }
  if (to !== undefined && !(Number.isInteger(to) && to >= 0 && to <= 5000)) {
    // Service quotas, "Tasks per service"
    throw new UserError(`--to does not accept ${to}.`, "", "It must be a number of tasks, from 0 to 5000.")
  }
}

/** The first setting that can't be right: its flag, its key in files, its value, and what it has to be. */
export function firstMistake(settings: Settings) {
  for (const [key, isFine, takes] of rules) {
    const value = settings[key]
    // Without a platform there would be no image.
    if ((value !== "" || key === "platform") && !isFine(value, settings))
      return { flag: flagOf(key), key, value, takes }
  }
  return undefined
}

/** Without the first stage: an ordinary deployment does not reach it, so nobody would be asked (ECS API reference, DeploymentLifecycleHook). */
const approvalStages = pauseStages.filter(stage => stage !== "RECONCILE_SERVICE")

/** A setting, whether a value of it can be right, and what it takes. */
type Rule = [key: TextSetting, isFine: (value: string, all: Settings) => boolean, takes: string]

type TextSetting = { [K in keyof Settings]-?: Settings[K] extends string ? K : never }[keyof Settings]

const matches = (pattern: RegExp) => (value: string) => pattern.test(value)

/** A comma-separated list in which each part is valid. */
const each = (isFine: (value: string) => boolean) => (value: string) =>
  value.split(",").every(part => isFine(part.trim()))

/** Names in ECS (API reference: CreateCluster, CreateService, ContainerDefinition), or their ARNs. */
const ecsName = matches(/^(arn:[^\s,]+|[A-Za-z0-9_-]{1,255})$/)
const ecsTakes = "up to 255 letters, digits, hyphens and underscores, or an ARN"
/** One part of a repository's name (ECR API reference, CreateRepository). */
const part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"

const rules: Rule[] = [
  [
    "path",
    value => partsOf(value).every(isInside),
    "paths inside the repository, such as services/api,libs/shared",
  ],
  ["context", isInside, "a folder inside the repository, such as services/api"],
  ["dockerfile", isInside, "a path inside the build context, such as docker/Dockerfile"],
  ["tagPrefix", value => isRefName(`${value}v1.2.3`), "the beginning of a tag's name, such as api/"],
  ["branch", isRefName, "a branch's name, such as main"],
  ["gitUsername", matches(/^[\x21-\x7e]+$/), "a user name without spaces"],
  [
    "platform",
    each(matches(/^(linux|windows)\/[a-z0-9]+(\/v[0-9]+)?$/)),
    "an operating system and an architecture, such as linux/arm64, or several, separated by commas",
  ],
  [
    "signingKey",
    value => isKeyReference(value) || isSignerProfile(value),
    "a key in AWS KMS, such as awskms:///alias/release, or the ARN of an AWS Signer profile",
  ],
  ["notify", each(isNotifyArn), "ARNs of SNS topics and EventBridge event buses, separated by commas"],
  [
    "gitApi",
    value => /^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(value),
    "the address of an API, such as https://git.example.com/api/v4",
  ],
  ["compression", matches(/^(zstd|gzip)$/), "zstd or gzip"],
  ["account", matches(/^[0-9]{12}$/), "an AWS account's number: 12 digits"],
  ["region", matches(/^[a-z]{2,5}(-[a-z]+)+-[0-9]+$/), "an AWS region, such as eu-north-1"],
  [
    "roleArn",
    matches(/^arn:aws[a-z-]*:iam::[0-9]{12}:role\/[\w+=,.@/-]+$/),
    "a role's ARN, such as arn:aws:iam::111122223333:role/release",
  ],
  [
    "repository",
    matches(new RegExp(`^${part}(?:/${part})*$`)),
    "the name of an ECR repository, such as team/api",
  ],
  ["cluster", ecsName, ecsTakes],
  [
    "service",
    value => each(ecsName)(value) && namesIn(value).length === partsOf(value).length,
    `${ecsTakes}; or several, separated by commas, each once`,
  ],
  ["container", each(ecsName), `${ecsTakes}; or several, separated by commas`],
  [
    "template",
    (value, { service }) =>
      each(matches(/^(arn:[^\s,]+|[A-Za-z0-9_-]{1,255}(:[0-9]+)?)$/))(value) &&
      partsOf(value).length === partsOf(service).length,
    "a task definition: its family, family:revision, or ARN; for several services, one for each, separated by commas",
  ],
  ["approval", value => approvalStages.includes(value), `one of ${approvalStages.join(", ")}`],
]

/** The error for a path that leads out of the repository. */
export function notInside(flag: string, path: string): UserError {
  return new UserError(
    `${flag} does not accept ${JSON.stringify(path.slice(0, 100))}.`,
    "",
    "It must be a path inside the repository, such as docs/CHANGELOG.md.",
  )
}

/** Whether a path stays inside the folder that it starts from. */
export function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split("/").includes("..")
}

/** Whether git accepts this as the name of a branch or a tag (git-check-ref-format(1)). */
export function isRefName(name: string): boolean {
  return (
    name !== "@" &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule names them
    !/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.$|^\/|\/$|^-/.test(name) &&
    name.split("/").every(part => !part.startsWith(".") && !part.endsWith(".lock"))
  )
}
