import { dag, type Secret, type Service } from "@dagger.io/dagger"
import { openAws } from "./aws/account.js"
import { releasesSince, siteOf } from "./changelog.js"
import type { App } from "./config.js"
import type { AppFacts, Facts, PlaceFacts, ReleaseFacts, ServiceFacts } from "./dashboard/facts.js"
import { container, variables } from "./dashboard/server.js"
import { recordDays } from "./ecs/service-deployment.js"
import { commitPage } from "./git/host.js"
import { isPrerelease } from "./git/tags.js"
import { UserError } from "./lib/errors.js"
import { plaintext } from "./lib/secret.js"
import { day } from "./lib/time.js"
import { commitTimes, recordOf } from "./metrics.js"
import { outlook } from "./plan.js"
import { type Settings, servicesOf } from "./settings.js"
import type { Stage } from "./stages.js"
import { type ComputedVersion, computeVersion } from "./version/compute.js"

/** The Node.js image in which Dagger itself runs TypeScript modules: an engine already has it. */
const image = "node:24.13.1-alpine@sha256:4f696fbf39f383c1e486030ba6b289a5d9af541642fc78ab197e584a113b9c03"

/** How many versions the page lists. */
const versions = 30

/** An app, and where it runs. */
export type Shown = App & { places: Pick<Stage, "name" | "settings">[] }

/** The part of esbuild that is used. */
type Bundler = { build(options: object): Promise<{ outputFiles: { text: string }[] }> }

/**
 * A service with the page: a container with Node.js and a single file. Git is read now; the page's server calls AWS, with the same
 * credentials.
 *
 * @param settings whose credentials they are
 * @param port the service's port
 */
export async function dashboard(apps: Shown[], settings: Settings, port: number): Promise<Service> {
  const [facts, program] = await Promise.all([
    Promise.all(apps.map(factsOf)).then((found): Facts => ({ read: new Date().toISOString(), apps: found })),
    bundle(),
  ])
  const files = dag
    .directory()
    .withNewFile("server.mjs", program)
    .withNewFile("facts.json", JSON.stringify(facts))
  let made = dag
    .container()
    .from(image)
    .withDirectory("/dashboard", files)
    .withEnvVariable("PORT", String(port))
    // As in the module's own process, so that an engine's authorities count, such as those of a proxy.
    .withEnvVariable("NODE_OPTIONS", "--use-openssl-ca")
    .withExposedPort(port)
  for (const [name, variable] of Object.entries(variables)) {
    const secret = settings[name as keyof typeof variables] as Secret | undefined
    // If the caller's variable is not set, the secret has no value.
    if (secret && (await plaintext(secret)) !== undefined) made = made.withSecretVariable(variable, secret)
  }
  const { awsEndpoint } = settings
  if (awsEndpoint) {
    const address = new URL(await awsEndpoint.endpoint({ scheme: "http" }))
    made = made
      .withServiceBinding(container.aws, awsEndpoint)
      .withEnvVariable("AWS_STAND_IN", `http://${container.aws}:${address.port}`)
  }
  return made.asService({ args: ["node", container.program] })
}

/** The server and everything that it needs, including the AWS SDK, as one file. */
async function bundle(): Promise<string> {
  const { build } = (await import("esbuild" as string)) as Bundler
  const { outputFiles } = await build({
    stdin: {
      contents: 'import { serve } from "./dashboard/server.js"; serve()',
      resolveDir: import.meta.dirname,
      loader: "ts",
    },
    ...{ bundle: true, write: false, minify: true, legalComments: "none" },
    ...{ platform: "node", format: "esm", target: "node24", logLevel: "silent" },
    // Some packages are CommonJS.
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  })
  const [file] = outputFiles
  if (!file) throw new Error("esbuild made no file")
  return file.text
}

async function factsOf({ name, settings, places }: Shown): Promise<AppFacts> {
  const computing = computeVersion(settings)
  const [next, git, found] = await Promise.all([
    outlook(settings, computing),
    whatGitSays(computing, settings),
    Promise.all(places.map(place => placeFacts(place, settings))),
  ])
  return { name, outlook: next.trim(), ...git, places: found }
}

/** Where an app runs, and the times of the commits that have been deployed there so far. */
async function placeFacts(
  { name: stage, settings }: Shown["places"][number],
  history: Settings,
): Promise<PlaceFacts> {
  const { region, account, roleArn, url } = settings
  const targets = servicesOf(settings)
  const times = await timesOf(settings, history)
  const services = targets.map((where, at) => ({ where, times: times[at] ?? [] }))
  return { stage, region, account, roleArn, url, services }
}

/** If the history cannot be read, the rest is still shown, and the outlook says what is wrong. */
async function whatGitSays(
  computing: Promise<ComputedVersion>,
  settings: Settings,
): Promise<Pick<AppFacts, "head" | "commits" | "releases">> {
  try {
    const found = await computing
    const host = siteOf(found, settings)
    const known = new Set(found.head.merged.map(tag => tag.version))
    // Only the versions that are shown.
    const before = found.head.merged.filter(tag => !isPrerelease(tag.version))[versions]
    const releases = await releasesSince(found, settings, before?.version ?? "")
    return {
      head: found.version,
      commits: host && commitPage(host, ""),
      releases: releases.slice(0, versions).map(
        ({ version, date, commits }): ReleaseFacts => ({
          ...{ version, date, pending: !known.has(version) },
          changes: commits
            .filter(({ cancelled, effect }) => !cancelled && effect !== "none")
            .map(({ sha, parsed, effect }) => ({
              what: `${parsed.scope ? `${parsed.scope}: ` : ""}${parsed.description}`,
              commit: sha,
              breaking: effect === "major",
              type: parsed.type ?? "",
            })),
        }),
      ),
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { head: "", releases: [] }
  }
}

async function timesOf(settings: Settings, history: Settings): Promise<ServiceFacts["times"][]> {
  const until = new Date()
  const since = new Date(until.getTime() - recordDays * day)
  try {
    const aws = await openAws(settings)
    const services = await Promise.all(
      servicesOf(settings).map(where => recordOf(aws, where, { since, until })),
    )
    const found = await commitTimes(history, services)
    return found.map(times =>
      [...times].map(([commit, list]) => [commit, list.map(time => time.getTime() / 1000)]),
    )
  } catch (error) {
    // The page shows the error where the service would be.
    if (!(error instanceof UserError)) throw error
    return []
  }
}
