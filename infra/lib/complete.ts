import type { Config } from "../config.js"

const repository = /^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/
const connection =
  /^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection\/[0-9a-f-]{36}$/

/** Where ECS can wait for a person (ECS API reference, DeploymentLifecycleHook). */
const pauseStages = [
  "RECONCILE_SERVICE",
  "PRE_SCALE_UP",
  "POST_SCALE_UP",
  "POST_TEST_TRAFFIC_SHIFT",
  "PRE_PRODUCTION_TRAFFIC_SHIFT",
  "POST_PRODUCTION_TRAFFIC_SHIFT",
]

/** What config.ts still needs before it can be deployed, one sentence each. */
export function missing({ source, network, access, tasks, container, deployment, build }: Config): string[] {
  const checks: [boolean, string][] = [
    [
      repository.test(source.repository) && source.repository !== "OWNER/REPOSITORY",
      "source.repository: the repository on GitHub, as owner/name",
    ],
    [
      connection.test(source.connectionArn),
      "source.connectionArn: ARN of the CodeConnection (README.md, step 2)",
    ],
    [network.cidr.endsWith("/16"), "network.cidr: a /16, such as 10.0.0.0/16"],
    [access.allowedCidrs.length > 0, "access.allowedCidrs: at least one range"],
    [tasks.min >= 1 && tasks.max >= tasks.min, "tasks: min at least 1, and max not below min"],
    ...(build.engine ? engineChecks(build.engine, build, network) : []),
    [
      deployment.drainSeconds >= 0 && deployment.drainSeconds <= 3600,
      "deployment.drainSeconds: from 0 to 3600",
    ],
    [deployment.stopSeconds >= 2 && deployment.stopSeconds <= 120, "deployment.stopSeconds: from 2 to 120"],
    [container.healthPath.startsWith("/"), "container.healthPath: a path, such as /healthz"],
    [
      deployment.earlySuccessPercent === undefined || deployment.strategy === "ROLLING",
      "deployment.earlySuccessPercent: only with the strategy ROLLING",
    ],
    [
      deployment.approval === undefined || pauseStages.includes(deployment.approval.stage),
      `deployment.approval.stage: one of ${pauseStages.join(", ")}`,
    ],
  ]
  return checks.filter(([right]) => !right).map(([, sentence]) => sentence)
}

/** The rules for an engine. */
function engineChecks(
  { version, cacheGiB }: NonNullable<Config["build"]["engine"]>,
  { fleet, dockerServer }: Config["build"],
  { egress }: Config["network"],
): [boolean, string][] {
  return [
    [
      egress === "nat",
      'build.engine: network.egress "nat", since the engine and its builds are in private subnets',
    ],
    [
      fleet === undefined && dockerServer === undefined,
      "build.engine: not together with build.fleet or build.dockerServer, which have their own cache",
    ],
    [/^\d+\.\d+\.\d+$/.test(version), "build.engine.version: a version of Dagger without v, such as 0.21.8"],
    [cacheGiB >= 50, "build.engine.cacheGiB: at least 50; the instance's system needs 30"],
  ]
}

/** Ends the process and says what to set, if anything is missing. */
export function assertComplete(config: Config): void {
  const sentences = missing(config)
  if (sentences.length === 0) return
  console.error(`infra/config.ts is not complete. Set:\n${sentences.map(it => `  ${it}`).join("\n")}`)
  process.exit(1)
}
