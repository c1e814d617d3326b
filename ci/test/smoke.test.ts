import {
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  DescribeTasksCommand,
  ListServiceDeploymentsCommand,
  RunTaskCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { expect, it } from "vitest"
import { deployChecked } from "../src/smoke.js"
import { bringing, eachTest, lines, oldActive, release, world } from "./deploy.scene.js"
import {
  at,
  aws,
  definition,
  deployment,
  ecs,
  failure,
  play,
  rejection,
  revision,
  service,
} from "./ecs/mock.js"

eachTest()

const smoke = { command: "true", repository: "web" }
const print = (line: string) => lines.push(line)
const run = () => deployChecked(aws, [{ ...release, print }], smoke)

it("does not roll back a version that could not be checked", async () => {
  const completed = service([bringing({ rolloutState: "COMPLETED", runningCount: 2 })])
  play(
    world([
      [0, service([bringing({}), oldActive])],
      [5, completed],
    ]),
  )
  ecs.on(RunTaskCommand).rejects(failure("AccessDeniedException", "not allowed"))
  expect((await rejection(run())).message).toMatch(/^AWS denied access\./)
  expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(1)
  expect(lines.at(-1)).toBe("smoke check: could not be run, which says nothing about the version")
})

it("does not say that the version before is live while going back to it waits for a person", async () => {
  const hooks = [{ targetType: "PAUSE" as const, lifecycleStages: ["POST_SCALE_UP" as const] }]
  const deploymentConfiguration = { lifecycleHooks: hooks }
  // The one-off task has the third.
  const [bad, back] = [deployment("new", 2, {}), deployment("back", 4, { rolloutState: "IN_PROGRESS" })]
  play({
    before: service([bad], { deploymentConfiguration }),
    updated: [[0, service([back, { ...bad, status: "ACTIVE" }], { deploymentConfiguration })]],
    definitions: [
      { definition: definition(1, "a", "1.0.0") },
      {
        definition: definition(2, "b", "1.1.0"),
        tags: [
          { key: "ecs-release:version", value: "1.1.0" },
          { key: "ecs-release:commit", value: release.commit },
        ],
      },
    ],
    images: { "1.0.0": `sha256:${"a".repeat(64)}` },
  })
  const taskArn = "arn:aws:ecs:eu-north-1:123456789012:task/prod/aaaaaaaa1"
  ecs.on(RunTaskCommand).resolves({ tasks: [{ taskArn }] })
  ecs.on(DescribeTasksCommand).resolves({
    tasks: [{ taskArn, lastStatus: "STOPPED", containers: [{ name: "app", exitCode: 1 }] }],
  })
  const record = {
    ...{ serviceDeploymentArn: "sd/4", status: "IN_PROGRESS" as const, targetServiceRevisionArn: "r4" },
    ...{ createdAt: at(0), lifecycleStage: "POST_SCALE_UP" as const, deploymentConfiguration },
    targetServiceRevision: { arn: "r4" },
    lifecycleHookDetails: [
      {
        ...{ hookId: "h", targetType: "PAUSE" as const, status: "AWAITING_ACTION" as const },
        ...{ expiresAt: at(24 * 3600), timeoutAction: "ROLLBACK" as const },
      },
    ],
  }
  ecs.on(ListServiceDeploymentsCommand).callsFake(() => ({
    serviceDeployments: [{ ...record, createdAt: new Date(Date.now()) }],
  }))
  ecs.on(DescribeServiceDeploymentsCommand).resolves({ serviceDeployments: [record] })
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [{ serviceRevisionArn: "r4", taskDefinition: revision(4) }],
  })
  const { message } = await rejection(run())
  expect(message).toMatch(/^failed: 1\.1\.0 did not pass its smoke check/)
  expect(message).toMatch(/still runs: going back waits for a person\. paused/)
  expect(message).not.toMatch(/live again/)
})
