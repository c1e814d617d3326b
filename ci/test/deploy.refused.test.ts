import { DescribeImagesCommand } from "@aws-sdk/client-ecr"
import {
  DescribeServicesCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import { describe, expect, it } from "vitest"
import { bringing, eachTest, lines, old, oldActive, run, world } from "./deploy.scene.js"
import { ecr, ecs, failure, play, rejection, service, settle, type World } from "./ecs/mock.js"

eachTest()

describe("AWS says no", () => {
  const refused = async (scene: World, extra: object = {}) => {
    play(scene)
    return (await rejection(run(extra))).message
  }

  it("before it acts: a service that is not active", async () => {
    const message = await refused(world([], { before: service([old], { status: "INACTIVE" }) }))
    expect(message).toMatch(/^The service "web" in cluster "prod" is INACTIVE, not ACTIVE\./)
    expect(ecs.commandCalls(RegisterTaskDefinitionCommand)).toHaveLength(0)
  })

  it("before it acts: a service that CodeDeploy deploys", async () => {
    const before = service([old], { deploymentController: { type: "CODE_DEPLOY" } })
    expect(await refused(world([], { before }))).toContain("is deployed by CODE_DEPLOY, not by ECS")
  })

  it("before it acts: a service that is not there", async () => {
    play(world([]))
    ecs.on(DescribeServicesCommand).resolves({ services: [], failures: [{ reason: "MISSING" }] })
    expect((await rejection(run())).message).toMatch(
      /^There is no service "web" in the ECS cluster "prod" in eu-north-1/,
    )
  })

  it("before it acts: a digest that is not in ECR", async () => {
    play(world([]))
    ecr
      .on(DescribeImagesCommand)
      .rejects(failure("ImageNotFoundException", "The image with imageId … does not exist"))
    expect((await rejection(run())).message).toMatch(
      /^The image is not in the ECR repository "web" in eu-north-1/,
    )
    expect(ecs.commandCalls(UpdateServiceCommand)).toHaveLength(0)
  })

  it("before it acts: a digest that ECR returns nothing for", async () => {
    play(world([]))
    ecr.on(DescribeImagesCommand).resolves({ imageDetails: [] })
    expect((await rejection(run())).message).toMatch(/^The image is not in the ECR repository "web"/)
  })

  it("before it acts: an image without a digest", async () => {
    expect(await refused(world([]), { image: "example.com/web:1.1.0" })).toContain("has no digest")
  })

  it("while it follows: throttling passes", async () => {
    play(world([]))
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      if (looks === 1) return { services: [service([old])] }
      if (looks < 4) throw failure("ThrottlingException", "Rate exceeded")
      return { services: [service([bringing({ rolloutState: "COMPLETED" })])] }
    })
    ecs.on(UpdateServiceCommand).resolves({ service: service([bringing({}), oldActive]) })
    await expect(settle(run())).resolves.toMatchObject({ word: "completed" })
    expect(lines.filter(line => line.includes("AWS did not answer (ThrottlingException)"))).toHaveLength(2)
  })

  it("while it follows: credentials expire, and the error says that the deployment continues", async () => {
    play(world([]))
    let looks = 0
    ecs.on(DescribeServicesCommand).callsFake(() => {
      looks += 1
      if (looks === 1) return { services: [service([old])] }
      throw failure("ExpiredTokenException", "The security token included in the request is expired")
    })
    ecs.on(UpdateServiceCommand).resolves({ service: service([bringing({}), oldActive]) })
    const { message } = await rejection(run())
    expect(message).toMatch(/^The AWS credentials have expired\./)
    expect(message).toContain("The deployment continues in ECS: run the same command again to follow it.")
  })
})
