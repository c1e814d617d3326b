import { describe, expect, it } from "vitest"
import { appsOf } from "../src/config.js"
import { EcsRelease } from "../src/index.js"
import type { Settings } from "../src/settings.js"
import { assertFirst, firstStage, picture, stageBefore, stageFacts, stageNamed } from "../src/stages.js"

const defaults: Settings = new EcsRelease()

/** The stages of a repository's only app. */
async function stages(text: string, given: Partial<Settings> = {}) {
  const source = { exists: async () => true, file: () => ({ contents: async () => text }) }
  const settings = Object.assign(new EcsRelease(), { source, ...given }) as Settings
  return (await appsOf(settings, defaults, "")).flatMap(app => app.stages)
}
const error = (text: string) =>
  stages(text).then(
    () => "no error",
    (it: Error) => it.message,
  )

const three = `
region: eu-west-1
service: web
stages:
  production:
    after: staging
    cluster: prod
    account: "222222222222"
    approval: POST_SCALE_UP
  staging:
    after: test
    cluster: staging
  test:
    cluster: test
    region: eu-north-1
  preview:
    after: test
    cluster: preview
    images: pull
`

describe("stages", () => {
  it("have their settings over the file's, and follow each other, in whatever order they are written", async () => {
    const found = await stages(three)
    expect(found.map(({ name, after }) => [name, after])).toEqual([
      ["test", undefined],
      ["staging", "test"],
      ["production", "staging"],
      ["preview", "test"],
    ])
    expect(found.map(({ settings: { region, cluster } }) => `${region} ${cluster}`)).toEqual([
      "eu-north-1 test",
      "eu-west-1 staging",
      "eu-west-1 prod",
      "eu-west-1 preview",
    ])
    expect(found.map(({ images }) => images)).toEqual(["copy", "copy", "copy", "pull"])
    expect(firstStage(found)?.name).toBe("test")
    expect(() => assertFirst(found, "")).not.toThrow()
    expect(() => assertFirst(found, "production")).toThrow(
      /^production comes after staging: it only gets versions that completed there/,
    )
    expect(stageBefore(found, stageNamed(found, "production")).name).toBe("staging")
    expect(stageFacts(stageNamed(found, "preview"))).toEqual({
      ...{ name: "preview", after: "test", region: "eu-west-1", cluster: "preview", service: "web" },
    })
  })

  it("are shown under each other", async () => {
    expect(picture(await stages(three)).split("\n")).toEqual([
      "test              test/web     eu-north-1",
      "└─ staging        staging/web  eu-west-1",
      "   └─ production  prod/web     eu-west-1, account 222222222222  approval at POST_SCALE_UP",
      "└─ preview        preview/web  eu-west-1",
    ])
  })

  it("win over arguments, which are about all stages; the file's other settings give way to them", async () => {
    const text = "service: web\nregion: eu-west-1\nstages:\n  a:\n    cluster: one\n"
    const [stage] = await stages(text, { cluster: "given", region: "eu-north-1" })
    expect(stage?.settings).toMatchObject({ cluster: "one", region: "eu-north-1" })
  })

  it("of an app add to those of the file", async () => {
    const text = `
stages:
  staging: {cluster: staging}
  production: {cluster: prod, after: staging}
apps:
  api:
    repository: api
    tagPrefix: api/
    service: api
    stages:
      production: {approval: POST_SCALE_UP}
  site:
    repository: site
    tagPrefix: site/
    service: site
`
    const source = { exists: async () => true, file: () => ({ contents: async () => text }) }
    const apps = await appsOf(Object.assign(new EcsRelease(), { source }) as Settings, defaults, "")
    const facts = apps.map(app =>
      app.stages.map(it => [it.settings.cluster, it.settings.service, it.settings.approval]),
    )
    expect(facts).toEqual([
      [
        ["staging", "api", ""],
        ["prod", "api", "POST_SCALE_UP"],
      ],
      [
        ["staging", "site", ""],
        ["prod", "site", ""],
      ],
    ])
  })

  it.each([
    [
      "stages:\n  a: {after: b, cluster: x}\n",
      /^ecs-release\.yaml:2:3: a comes after "b", which is not a stage\./,
    ],
    [
      "stages:\n  a: {after: b, cluster: x}\n  b: {after: a, cluster: y}\n",
      /^ecs-release\.yaml:2:3: the stages form a circle: a, which comes after b, which comes after a\./,
    ],
    ["stages:\n  a: {after: a}\n", /the stages form a circle: a, which comes after a/],
    [
      "service: web\nstages:\n  a: {cluster: x}\n  b: {cluster: x, after: a}\n",
      /:4:3: a and b are the same service/,
    ],
    ["stages:\n  a: {images: move}\n", /^ecs-release\.yaml:2:7: images must be copy or pull/],
    ["stages:\n  a: {aproval: x}\n", /:2:7: unknown key "aproval"/],
    ["stages:\n  a: {approval: SOMETIME}\n", /approval must be one of PRE_SCALE_UP, POST_SCALE_UP, /],
    ["stages:\n  a: {account: 123}\n", /account has to be text; put it in quotes/],
    ["stages:\n  'a b': {}\n", /a stage's name may have letters, digits/],
    ["stage: a\n", /unknown key "stage"/],
    ["after: a\n", /unknown key "after"/],
  ])("with a mistake say where: %s", async (text, message) => {
    expect(await error(text)).toMatch(message)
  })

  it("have to be named if several could be the first; an unknown name is refused", async () => {
    const two = await stages("service: web\nstages:\n  a: {cluster: x}\n  b: {cluster: y}\n")
    expect(firstStage(two)).toBeUndefined()
    expect(() => assertFirst(two, "")).toThrow(/^a and b come after no other stage\./)
    expect(() => assertFirst(two, "b")).not.toThrow()
    expect(() => stageNamed(two, "c")).toThrow(
      /^There is no stage "c" in ecs-release\.yaml\.\nIt has: a, b\./,
    )
    expect(() => stageBefore(two, stageNamed(two, "b"))).toThrow(/so there is nothing to promote to it\./)
    expect(firstStage([])).toBeUndefined()
  })
})
