import { dirname } from "node:path"
import { accountOf, openAws } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import { explained } from "./aws/errors.js"
import { ciFiles } from "./ci-config.js"
import { type App, configFile } from "./config.js"
import { Registry } from "./ecr/registry.js"
import { describeService, errorContext, openService, rollsBack } from "./ecs/service.js"
import { openCheckout, remoteAddress } from "./git/checkout.js"
import { remoteUrl } from "./git/remote.js"
import { frontendOf, isOwnFrontend, stagesOf } from "./image/bases.js"
import { engineIsAtLeast } from "./lib/engine.js"
import { UserError } from "./lib/errors.js"
import { plaintext } from "./lib/secret.js"
import { preflight } from "./preflight.js"
import { envKey, required, type Settings, servicesOf, sourceOf } from "./settings.js"

/** The result for one thing that a release needs: what was found, or the error that says what is missing. */
type Finding = { found: string } | { missing: UserError }

/** Checks one thing. */
async function look(work: () => Promise<string>): Promise<Finding> {
  try {
    return { found: await work() }
  } catch (error) {
    if (error instanceof UserError) return { missing: error }
    throw error
  }
}

function missing(what: string, remedy: string): UserError {
  return new UserError(what, "", remedy)
}

/**
 * Finds out what a repository still needs before its first release, and changes nothing: git, the Dockerfile's stages, settings,
 * AWS, and whether something starts a release on a push.
 *
 * @returns a line for each check, with what to do if something is missing
 */
export async function init(apps: App[]): Promise<string> {
  const lines: string[] = []
  let lacking = 0
  for (const { name, settings } of apps) {
    if (name !== "") lines.push(`${name}`)
    for (const finding of await findings(settings)) {
      if ("missing" in finding) lacking += 1
      lines.push(
        "found" in finding ? `✔ ${finding.found}` : `✘ ${finding.missing.message.replaceAll("\n", "\n  ")}`,
      )
    }
  }
  const end = lacking === 0 ? "Ready: dagger call release" : `${lacking} missing; nothing was changed.`
  return `${[...lines, "", end].join("\n")}\n`
}

async function findings(settings: Settings): Promise<Finding[]> {
  const local = await Promise.all([
    look(() => git(settings)),
    look(() => stages(settings)),
    look(() => ci(settings)),
    look(async () => namesOf(settings)),
    look(() => token(settings)),
  ])
  return [...local, ...(await onAws(settings))]
}

async function git(settings: Settings): Promise<string> {
  const { head, repository } = await openCheckout(settings)
  const url = remoteAddress(repository, settings)
  if (url === "")
    throw missing("The repository has no remote to claim versions on.", "Set --git-remote, or add an origin")
  return `git: commit ${head.sha.slice(0, 7)}, remote ${remoteUrl(url) ?? url}`
}

async function token({ gitToken }: Settings): Promise<string> {
  if ((await plaintext(gitToken)) !== undefined) return "git token: set"
  throw missing(
    "There is no token for pushing version tags.",
    `Set ${envKey("--git-token")}=env://GITHUB_TOKEN in .env, and set that variable wherever releases run`,
  )
}

async function stages(settings: Settings): Promise<string> {
  const { context, dockerfile, testTarget, reportTarget, runtimeTarget } = settings
  if (context !== "." && context !== "" && !(await sourceOf(settings).exists(context)))
    throw missing(`There is no folder ${context}.`, "Set --context to the folder to build in")
  const folder = sourceOf(settings).directory(context)
  if (!(await folder.exists(dockerfile))) {
    throw missing(`There is no ${dockerfile} in ${context}.`, "Add one, or set --context and --dockerfile")
  }
  const text = await folder.file(dockerfile).contents()
  const frontend = frontendOf(text)
  if (frontend && !isOwnFrontend(frontend) && (await engineIsAtLeast("0.21.0"))) {
    throw missing(
      `${dockerfile} begins with "# syntax=${frontend}", which Dagger refuses since 0.21.`,
      "Leave the line out, or write # syntax=docker/dockerfile:1, which Dagger reads without a registry",
    )
  }
  const there = await stagesOf(text)
  const wanted = { "--test-target": testTarget, "--runtime-target": runtimeTarget }
  for (const [flag, stage] of Object.entries(wanted)) {
    if (stage === "" || there.includes(stage.toLowerCase())) continue
    throw missing(
      `${dockerfile} has no stage "${stage}".`,
      `Set ${flag} to a stage that it has (${there.join(", ") || "it has none"}), or set ${envKey(flag)}= to do without`,
    )
  }
  const reports = there.includes(reportTarget.toLowerCase()) ? "" : ", no reports"
  return `${dockerfile}: stages ${[testTarget || "no tests", runtimeTarget || "the last one"].join(" and ")}${reports}`
}

function namesOf(settings: Settings): string {
  required(settings.region, "AWS region", "--region")
  required(settings.repository, "ECR repository", "--repository")
  const services = servicesOf(settings).map(({ cluster, service }) => `${cluster}/${service}`)
  return `settings: ${services.join(", ")} in ${settings.region}, repository ${settings.repository} (${configFile}, .env or arguments)`
}

/** Whether a CI file calls the module's release: `dagger … call … release`, perhaps over several lines. Linear in the text's length. */
export function callsRelease(text: string): boolean {
  // Words on a line of their own go on with the call: after a backslash, or as flags in a folded block of YAML.
  const lines = text.replace(/\\\n\s*|\n\s+(?=--)/g, " ").split("\n")
  return lines.some(line => {
    const at = line.search(/\bcall\s/)
    return at >= 0 && /\srelease(\s|$)/.test(line.slice(at))
  })
}

async function ci(settings: Settings): Promise<string> {
  const source = sourceOf(settings)
  const workflows = dirname(ciFiles.github)
  const own = (await source.exists(workflows)) ? await source.directory(workflows).entries() : []
  const files = [...own.map(name => `${workflows}/${name}`), ciFiles.gitlab, ciFiles.codebuild]
  for (const file of files.filter(name => /\.ya?ml$/.test(name))) {
    if (!(await source.exists(file))) continue
    if (callsRelease(await source.file(file).contents())) return `releases on a push: ${file}`
  }
  throw missing(
    "Nothing starts a release on a push.",
    `dagger call ci-config --system github --module github.com/OWNER/ecs-release/ci@vX.Y.Z export --path . (or gitlab, codebuild)`,
  )
}

async function onAws(settings: Settings): Promise<Finding[]> {
  let aws: Aws | undefined
  const opened = await look(async () => {
    const found = await openAws(settings)
    const account = await accountOf(found)
    aws = found
    return `AWS: account ${account}`
  })
  return aws ? [opened, ...(await resources(aws, settings))] : [opened]
}

function resources(aws: Aws, settings: Settings): Promise<Finding[]> {
  const { repository, cluster, service } = settings
  const registry = look(() =>
    explained({ ...aws, repository }, async () => {
      const { uri, tagsCanMove } = await Registry.open(
        aws,
        required(repository, "ECR repository", "--repository"),
      )
      if (!tagsCanMove) return `ECR: ${uri}, with immutable tags`
      throw missing(
        `Tags in the ECR repository ${repository} can be moved to another image.`,
        `aws ecr put-image-tag-mutability --repository-name ${repository} --image-tag-mutability IMMUTABLE`,
      )
    }),
  )
  const services = cluster === "" || service === "" ? [] : servicesOf(settings)
  const looked = services.map(where =>
    look(async () => {
      await preflight(aws, settings, where, "0.0.0")
      const target = await openService(aws, where)
      const service = await explained(errorContext(target), () => describeService(target))
      if (rollsBack(service))
        return `ECS: ${where.cluster}/${where.service} can be deployed, and rolls back by itself`
      throw missing(
        `${where.cluster}/${where.service} does not roll back a deployment that fails.`,
        `aws ecs update-service --cluster ${where.cluster} --service ${where.service} --deployment-configuration 'deploymentCircuitBreaker={enable=true,rollback=true}'`,
      )
    }),
  )
  return Promise.all([registry, ...looked])
}
