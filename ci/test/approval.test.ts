import {
  ContinueServiceDeploymentCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import { mockClient } from "aws-sdk-client-mock"
import { describe, expect, it, vi } from "vitest"
import { answer } from "../src/approval.js"
import { rolledBackTag } from "../src/ecs/task-definition.js"
import { status } from "../src/status.js"
import { bringing, eachTest, lines, old, oldActive, run, world } from "./deploy.scene.js"
import {
  at,
  aws,
  definition,
  ecs,
  failure,
  play,
  rejection,
  revision,
  service,
  settle,
  where,
} from "./ecs/mock.js"

eachTest()

const arn = "arn:aws:sts::123456789012:assumed-role/Developer/ada"
const sts = mockClient(STSClient)
const hooks = [{ targetType: "PAUSE" as const, lifecycleStages: ["POST_SCALE_UP" as const] }]
const hooked = {
  deploymentConfiguration: {
    deploymentCircuitBreaker: { enable: true, rollback: true },
    maximumPercent: 200,
    lifecycleHooks: hooks,
  },
}

/** ECS's record of the deployment of revision 2, as it is from so many seconds on. */
function recorded(...states: [from: number, state: Partial<ServiceDeployment>][]): void {
  const now = () => {
    const seconds = (Date.now() - at(0).getTime()) / 1000
    const record = {
      serviceDeploymentArn: "sd/2",
      status: "IN_PROGRESS",
      createdAt: at(0),
      lifecycleStage: "SCALE_UP",
      deploymentConfiguration: hooked.deploymentConfiguration,
    }
    return { ...record, ...states.filter(([from]) => from <= seconds).at(-1)?.[1] }
  }
  ecs.on(ListServiceDeploymentsCommand).callsFake(() => ({
    serviceDeployments: [{ ...now(), targetServiceRevisionArn: "r2" }],
  }))
  ecs.on(DescribeServiceRevisionsCommand).resolves({
    serviceRevisions: [{ serviceRevisionArn: "r2", taskDefinition: revision(2) }],
  })
  ecs.on(DescribeServiceDeploymentsCommand).callsFake(() => ({ serviceDeployments: [now()] }))
  sts.reset()
  sts.on(GetCallerIdentityCommand).resolves({ Account: "123456789012", Arn: arn })
}

const waits: Partial<ServiceDeployment> = {
  lifecycleStage: "POST_SCALE_UP",
  lifecycleHookDetails: [
    {
      hookId: "hook-1",
      targetType: "PAUSE",
      status: "AWAITING_ACTION",
      expiresAt: at(10 + 24 * 3600),
      timeoutAction: "ROLLBACK",
    },
  ],
}
const ready = { runningCount: 2 }
const scene = () =>
  world([[0, service([bringing(ready), oldActive], hooked)]], { before: service([old], hooked) })

describe("a deployment that waits for an approval", () => {
  it("ends the run with the word paused: nothing failed, and nothing is noted as completed", async () => {
    play(scene())
    recorded([0, {}], [10, waits])
    const end = await settle(run())
    expect(end).toMatchObject({ word: "paused", version: "1.1.0", pause: { stage: "POST_SCALE_UP" } })
    expect(end.text).toMatch(
      /^paused: 1\.1\.0 on prod\/web, after 1\d s: ECS waits for an approval at POST_SCALE_UP \(the new tasks run\), since 2025-01-01 00:00:10Z, until 2025-01-02 00:00:10Z; after that ECS rolls back by itself\n→ Run approve to let it continue/,
    )
    expect(ecs.commandCalls(TagResourceCommand)).toEqual([])
  })

  it("is followed through with --wait-for-approval, and the time it waits does not count", async () => {
    const done = service([bringing({ ...ready, rolloutState: "COMPLETED" })], hooked)
    play({ ...scene(), updated: [...(scene().updated ?? []), [3020, done]] })
    recorded([0, {}], [10, waits], [3000, { lifecycleStage: "CLEAN_UP" }], [3020, { status: "SUCCESSFUL" }])
    const end = await settle(run({ waitForApproval: true, timeoutSeconds: 60 }), 4000)
    expect(end.word).toBe("completed")
    expect(lines.filter(line => line.includes("waiting for an approval"))).toHaveLength(1)
  })

  it("is followed through when this machine sleeps in between", async () => {
    const done = service([bringing({ ...ready, rolloutState: "COMPLETED" })], hooked)
    play({ ...scene(), updated: [...(scene().updated ?? []), [3020, done]] })
    recorded([0, {}], [10, waits], [3000, { lifecycleStage: "CLEAN_UP" }], [3020, { status: "SUCCESSFUL" }])
    setTimeout(() => vi.setSystemTime(Date.now() + 20 * 60_000), 30_000)
    const end = await settle(run({ waitForApproval: true, timeoutSeconds: 60 }), 4000)
    expect(end.word).toBe("completed")
  })

  it("still times out if nobody is waited for", async () => {
    play(scene())
    recorded([0, {}], [10, waits], [100, { lifecycleStage: "CLEAN_UP" }])
    const error = await rejection(run({ waitForApproval: true, timeoutSeconds: 60 }))
    expect(error.message).toMatch(/^timed out/)
  })

  it("says who rejected it and why, as the cause of the rollback", async () => {
    const back = service([{ ...old, rolloutState: "COMPLETED" }], hooked)
    play({ ...scene(), updated: [...(scene().updated ?? []), [30, back]] })
    recorded([0, {}], [10, waits], [30, { status: "ROLLBACK_SUCCESSFUL", rollback: { reason: "hook" } }])
    setTimeout(
      () => answer(aws, [where], { action: "ROLLBACK", why: "the page (home) is broken!" }, () => {}),
      20_000,
    )
    const error = await rejection(run({ waitForApproval: true }))
    expect(error.message).toMatch(
      /^rolled back: 1\.1\.0 was rejected on prod\/web and ECS went back; 1\.0\.0/,
    )
    expect(error.message).toContain(`rejected by ${arn}: the page home is broken`)
    expect(ecs.commandCalls(ContinueServiceDeploymentCommand)[0]?.args[0].input).toEqual({
      serviceDeploymentArn: "sd/2",
      hookId: "hook-1",
      action: "ROLLBACK",
    })
    const noted = ecs.commandCalls(TagResourceCommand).flatMap(call => call.args[0].input.tags ?? [])
    expect(noted.map(({ key }) => key)).toContain(rolledBackTag)
  })

  it("is shown by status, with who approved what runs", async () => {
    const tags = [{ key: "ecs-release:approved-by", value: arn }]
    play({
      before: service([bringing(ready), oldActive], hooked),
      definitions: [{ definition: definition(2, "b", "1.1.0"), tags }],
    })
    recorded([0, waits])
    const found = await settle(status(aws, where))
    expect(found.pause).toMatchObject({ hookId: "hook-1", stage: "POST_SCALE_UP", otherwise: "ROLLBACK" })
    expect(found.text).toMatch(/waits for +an approval at POST_SCALE_UP .*approve, or reject/)
    expect(found.text).toMatch(/approved by +arn:aws:sts/)
  })
})

describe("an answer", () => {
  const waiting = () => {
    play({
      before: service([bringing(ready), oldActive], hooked),
      definitions: [{ definition: definition(1, "a", "1.0.0") }, { definition: definition(2, "b", "1.1.0") }],
    })
    recorded([0, waits])
  }
  const say = (said: object, all = [where]) =>
    answer(aws, all, { action: "CONTINUE", ...said }, line => lines.push(line))

  it("lets the deployment go on, after who said so is noted", async () => {
    waiting()
    expect(await settle(say({ version: "1.1.0" }))).toEqual([
      `approved: 1.1.0 continues after POST_SCALE_UP on prod/web, by ${arn}`,
    ])
    const calls = ecs.calls().map(call => call.args[0].constructor.name)
    expect(calls.indexOf("TagResourceCommand")).toBeGreaterThan(0)
    expect(calls.indexOf("TagResourceCommand")).toBeLessThan(
      calls.indexOf("ContinueServiceDeploymentCommand"),
    )
  })

  it("about a version other than the one that waits does nothing", async () => {
    waiting()
    const error = await rejection(say({ version: "1.0.9" }))
    expect(error.message).toMatch(/^prod\/web is waiting for approval of 1\.1\.0, not of 1\.0\.9\./)
    expect(ecs.commandCalls(ContinueServiceDeploymentCommand)).toEqual([])
    expect(ecs.commandCalls(TagResourceCommand)).toEqual([])
  })

  it.each([
    ["no hook waits", { lifecycleHookDetails: [] }],
    ["the deployment has ended", { ...waits, status: "SUCCESSFUL" as const }],
    [
      "a Lambda function is waited for",
      {
        lifecycleHookDetails: [
          { hookId: "x", targetType: "AWS_LAMBDA" as const, status: "IN_PROGRESS" as const },
        ],
      },
    ],
  ])("is refused if %s", async (_, state) => {
    waiting()
    recorded([0, state])
    expect((await rejection(say({}))).message).toMatch(
      /^No deployment is waiting for approval\.\nprod\/web has 1\.1\.0/,
    )
  })

  it("that ECS refuses says what ECS said", async () => {
    waiting()
    ecs
      .on(ContinueServiceDeploymentCommand)
      .rejects(
        failure(
          "AccessDeniedException",
          "User: arn:aws:iam::1:user/a is not authorized to perform: ecs:ContinueServiceDeployment on resource: sd/2",
        ),
      )
    expect((await rejection(say({}))).message).toContain("Allow ecs:ContinueServiceDeployment on sd/2")
    // Then nobody approved it.
    const taken = ecs.commandCalls(UntagResourceCommand).flatMap(call => call.args[0].input.tagKeys ?? [])
    expect(taken.at(-1)).toBe("ecs-release:approved-by")
  })
})

describe("the setting --approval", () => {
  const update = () => ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input
  const plain = { deploymentConfiguration: { maximumPercent: 150, minimumHealthyPercent: 50 } }

  it("adds the hook and keeps the rest of the service's deployment configuration", async () => {
    const lambda = { hookTargetArn: "arn:aws:lambda:x", lifecycleStages: ["PRE_SCALE_UP" as const] }
    const before = service([old], {
      deploymentConfiguration: { ...plain.deploymentConfiguration, lifecycleHooks: [lambda] },
    })
    play({ ...scene(), before })
    recorded([0, waits])
    await settle(run({ approval: "POST_SCALE_UP" }))
    expect(update()?.deploymentConfiguration).toEqual({
      ...plain.deploymentConfiguration,
      lifecycleHooks: [lambda, ...hooks],
    })
  })

  it("changes nothing in a service that has the hook", async () => {
    play(scene())
    recorded([0, waits])
    await settle(run({ approval: "POST_SCALE_UP" }))
    expect(update()).not.toHaveProperty("deploymentConfiguration")
  })
})

describe("a check at a stage", () => {
  const stage = "POST_SCALE_UP"
  const answers = () =>
    ecs.commandCalls(ContinueServiceDeploymentCommand).map(call => call.args[0].input.action)
  const follow = (isGood: boolean, then: Partial<ServiceDeployment>, options = {}) => {
    const checks: string[] = []
    const check = async () => {
      checks.push("checked")
      return isGood
    }
    const end = isGood
      ? service([bringing({ ...ready, rolloutState: "COMPLETED" })], hooked)
      : service([old], hooked)
    play({ ...scene(), updated: [...(scene().updated ?? []), [60, end]] })
    recorded([0, {}], [10, waits], [60, then])
    return { checks, end: run({ checkpoint: { stage, check }, ...options }) }
  }

  it("lets the deployment go on if it passes, without a person", async () => {
    const { checks, end } = follow(true, { status: "SUCCESSFUL" })
    expect((await settle(end)).word).toBe("completed")
    expect(checks).toHaveLength(1)
    expect(new Set(answers())).toEqual(new Set(["CONTINUE"]))
  })

  it("has ECS roll it back if it fails", async () => {
    const { end } = follow(false, { status: "ROLLBACK_SUCCESSFUL", rollback: { reason: "hook" } })
    expect((await rejection(end)).message).toMatch(/^rolled back: /)
    expect(new Set(answers())).toEqual(new Set(["ROLLBACK"]))
  })

  it("leaves the last word to a person if one has to approve at the same stage", async () => {
    const { checks, end } = follow(true, { status: "SUCCESSFUL" }, { approval: stage })
    expect((await settle(end)).word).toBe("paused")
    expect(checks).toHaveLength(1)
    expect(answers()).toEqual([])
  })
})
