import { parseSeverity } from "./ecr/scan.js"
import { parseArgs } from "./image/dockerfile.js"
import { UserError } from "./lib/errors.js"
import type { Settings } from "./settings.js"

/** What a single call takes besides the settings. */
export type CallOptions = { timeout?: number; severity?: string }

/**
 * Checks everything that a person typed, before anything is done with it: a typo must not use up a version.
 *
 * @throws UserError for the first argument that can't be right, with what it takes
 */
export function validate(settings: Settings, { timeout, severity = "" }: CallOptions = {}): void {
  for (const [flag, value, isFine, takes] of rules(settings)) {
    if (value === "" || isFine(value)) continue
    throw new UserError(
      `${flag} does not take ${JSON.stringify(value.slice(0, 100))}.`,
      "",
      `It takes ${takes}.`,
    )
  }
  parseArgs(settings.buildArgs)
  if (severity !== "") parseSeverity(severity)
  if (timeout !== undefined && !(Number.isInteger(timeout) && timeout >= 1 && timeout <= 86_400)) {
    throw new UserError(`--timeout does not take ${timeout}.`, "", "It takes whole seconds, from 1 to 86400.")
  }
}

type Rule = [flag: string, value: string, isFine: (value: string) => boolean, takes: string]

const matches = (pattern: RegExp) => (value: string) => pattern.test(value)

/** Names in ECS (API reference: CreateCluster, CreateService, ContainerDefinition), or their ARNs. */
const ecsName = matches(/^(arn:\S+|[A-Za-z0-9_-]{1,255})$/)
const ecsTakes = "up to 255 letters, digits, hyphens and underscores, or an ARN"
/** One part of a repository's name (ECR API reference, CreateRepository). */
const part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"

function rules(it: Settings): Rule[] {
  return [
    ["--path", it.path, isInside, "a path inside the repository, such as services/api"],
    ["--context", it.context, isInside, "a folder inside the repository, such as services/api"],
    ["--dockerfile", it.dockerfile, isInside, "a path inside the build context, such as docker/Dockerfile"],
    [
      "--tag-prefix",
      it.tagPrefix,
      value => isRefName(`${value}v1.2.3`),
      "the beginning of a tag's name, such as api/",
    ],
    ["--branch", it.branch, isRefName, "a branch's name, such as main"],
    ["--git-username", it.gitUsername, matches(/^[\x21-\x7e]+$/), "a user name without spaces"],
    [
      "--platform",
      it.platform,
      matches(/^(linux|windows)\/[a-z0-9]+(\/v[0-9]+)?$/),
      "an operating system and an architecture, such as linux/amd64 or linux/arm64",
    ],
    ["--region", it.region, matches(/^[a-z]{2,5}(-[a-z]+)+-[0-9]+$/), "an AWS region, such as eu-north-1"],
    [
      "--repository",
      it.repository,
      matches(new RegExp(`^${part}(?:/${part})*$`)),
      "the name of an ECR repository, such as team/api",
    ],
    ["--cluster", it.cluster, ecsName, ecsTakes],
    ["--service", it.service, ecsName, ecsTakes],
    ["--container", it.container, ecsName, ecsTakes],
    [
      "--template",
      it.template,
      matches(/^(arn:\S+|[A-Za-z0-9_-]{1,255}(:[0-9]+)?)$/),
      "a task definition: its family, family:revision, or ARN",
    ],
  ]
}

function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split("/").includes("..")
}

/** Whether git takes this as the name of a branch or a tag (git-check-ref-format(1)). */
export function isRefName(name: string): boolean {
  return (
    name !== "@" &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule names them
    !/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.$|^\/|\/$|^-/.test(name) &&
    name.split("/").every(part => !part.startsWith(".") && !part.endsWith(".lock"))
  )
}
