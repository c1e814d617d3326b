import { DescribeImagesCommand } from "@aws-sdk/client-ecr"
import { beforeEach, expect, it } from "vitest"
import { history, readVersions } from "../src/history.js"
import { at, aws, ecr, failure } from "./ecs/mock.js"

const commit = "b".repeat(40)

beforeEach(() => ecr.reset())

it("lists versions, the highest first, with commit, date and size, over all pages", async () => {
  ecr
    .on(DescribeImagesCommand, { nextToken: undefined })
    .resolves({ imageDetails: [{ imageTags: ["1.9.0"], imageDigest: "sha256:a" }], nextToken: "more" })
    .on(DescribeImagesCommand, { nextToken: "more" })
    .resolves({
      imageDetails: [
        {
          imageTags: [commit, "1.10.0"],
          imageDigest: "sha256:b",
          imagePushedAt: at(0),
          imageSizeInBytes: 12_345_678,
        },
      ],
    })
  const { versions, text } = await history(aws, { repository: "web", running: new Set(["sha256:a"]) })
  expect(versions).toMatchObject([
    { version: "1.10.0", commit, digest: "sha256:b", bytes: 12_345_678, running: false },
    { version: "1.9.0", commit: undefined, digest: "sha256:a", running: true },
  ])
  expect(text.split("\n")).toEqual([
    expect.stringMatching(/^ +VERSION +COMMIT +PUSHED +SIZE +DIGEST$/),
    expect.stringMatching(/^ +1\.10\.0 +b{40} +2025-01-01 00:00:00Z +12\.3 MB +sha256:b$/),
    expect.stringMatching(/^\* +1\.9\.0 +sha256:a$/),
  ])
})

it("counts strict versions only", () => {
  const imageTags = ["v1.0.0", "latest", "1.0", commit, "1.0.0", "01.0.0"]
  expect(readVersions([{ imageTags }, { imageDigest: "untagged" }]).map(it => it.version)).toEqual(["1.0.0"])
})

it("says that there are none", async () => {
  ecr.on(DescribeImagesCommand).resolves({ imageDetails: [] })
  expect((await history(aws, { repository: "web" })).text).toBe("no versions in web")
})

it("says that the repository does not exist", async () => {
  ecr.on(DescribeImagesCommand).rejects(failure("RepositoryNotFoundException", "gone"))
  await expect(history(aws, { repository: "web" })).rejects.toThrow(
    /^There is no ECR repository "web" in eu-north-1/,
  )
})
