import { describe, expect, it } from "vitest"
import { appsOf, parse } from "../src/config.js"
import { EcsRelease } from "../src/index.js"
import type { Settings } from "../src/settings.js"

const defaults: Settings = new EcsRelease()
const error = (text: string) =>
  parse(text, defaults).then(
    () => "no error",
    (it: Error) => it.message,
  )

/** The apps of a repository with this file, or without one. */
function apps(text: string | undefined, given: Partial<Settings> = {}, only = "") {
  const source = {
    exists: async () => text !== undefined,
    file: () => ({ contents: async () => text }),
  } as unknown as Settings["source"]
  return appsOf(Object.assign(new EcsRelease(), { source, ...given }), defaults, only)
}

const monorepo = `
# Both in one cluster.
cluster: prod
region: eu-west-1
apps:
  api:
    path: services/api
    tagPrefix: api/
    context: services/api
    service: [api, worker]
    buildArgs: ["A=1"]
  site:
    cluster: public
    service: site
`

describe("ecs-release.yaml", () => {
  it("gives each app its settings, over those of the file, over the defaults", async () => {
    const [api, site] = await apps(monorepo)
    expect(api).toMatchObject({
      name: "api",
      settings: {
        cluster: "prod",
        region: "eu-west-1",
        tagPrefix: "api/",
        service: "api,worker",
        buildArgs: ["A=1"],
      },
    })
    expect(site).toMatchObject({ name: "site", settings: { cluster: "public", tagPrefix: "", context: "." } })
  })

  it("gives way to arguments", async () => {
    const [api, site] = await apps(monorepo, { cluster: "staging" })
    expect([api?.settings.cluster, site?.settings.cluster]).toEqual(["staging", "staging"])
    expect(api?.settings.region).toBe("eu-west-1")
  })

  it("takes aliases, and templates in another block than their services", async () => {
    const text =
      "cluster: &name prod\nservice: [web, worker]\napps:\n  a: {repository: *name, template: [x, x]}\n"
    expect((await apps(text))[0]?.settings).toMatchObject({ repository: "prod", template: "x,x" })
  })

  it("need not be there, nor have apps", async () => {
    expect(await apps(undefined, { cluster: "x" })).toMatchObject([{ name: "", settings: { cluster: "x" } }])
    expect(await apps("cluster: prod\n")).toMatchObject([{ name: "", settings: { cluster: "prod" } }])
    expect(await apps("")).toMatchObject([{ name: "", settings: { cluster: "" } }])
  })

  it("lets apps of the same names be in several regions or accounts", async () => {
    const both = (differs: string) =>
      apps(`
cluster: prod
service: web
repository: web
apps:
  eu: {tagPrefix: eu/, region: eu-west-1}
  us: {tagPrefix: us/, ${differs}}
`)
    await expect(both("region: us-east-1")).resolves.toHaveLength(2)
    await expect(both("region: eu-west-1, account: '111122223333'")).rejects.toThrow(
      /have the same repository/,
    )
    const accounts = `cluster: prod
service: web
repository: web
apps:
  a: {tagPrefix: a/, roleArn: "arn:aws:iam::111122223333:role/x"}
  b: {tagPrefix: b/, roleArn: "arn:aws:iam::222233334444:role/x"}
`
    await expect(apps(accounts)).resolves.toHaveLength(2)
    await expect(apps(accounts.replace("222233334444:role/x", "111122223333:role/y"))).rejects.toThrow(
      /have the same repository/,
    )
    await expect(both("region: eu-west-1")).rejects.toThrow(/have the same repository/)
  })

  it("takes arguments for the app that is asked for, whatever they would mean for the others", async () => {
    const [api] = await apps(monorepo, { service: "api-canary" }, "api")
    expect(api?.settings.service).toBe("api-canary")
  })

  it("takes a list only for a setting with several names", async () => {
    expect(await error("branch: [main, trunk]")).toMatch(/branch has to be text/)
    const [one] = await apps("path: [services/api, libs/shared]")
    expect(one?.settings.path).toBe("services/api,libs/shared")
  })

  it("gives one app if one is asked for", async () => {
    expect((await apps(monorepo, {}, "site")).map(({ name }) => name)).toEqual(["site"])
    await expect(apps(monorepo, {}, "web")).rejects.toThrow(/no app "web".*\nIt has: api, site\.\n→ /s)
    await expect(apps(undefined, {}, "web")).rejects.toThrow(/no app "web".*\nIt has no apps\./s)
  })

  it.each([
    ["repository", "repository: one\napps: {a: {tagPrefix: a/}, b: {tagPrefix: b/}}", {}],
    ["tagPrefix", "apps: {a: {repository: a}, b: {repository: b}}", {}],
    ["service", 'apps: {a: {tagPrefix: a/, service: "x,y"}, b: {tagPrefix: b/, service: y}}', {}],
    ["service", "apps: {a: {tagPrefix: a/, service: x}, b: {tagPrefix: b/, service: y}}", { service: "z" }],
  ])("refuses apps that share their %s: one would get the other's images", async (shared, text, given) => {
    await expect(apps(text, given)).rejects.toThrow(
      new RegExp(`apps a and b have the same ${shared}[\\s\\S]*→ `),
    )
  })

  it.each([
    ["gitRemote: https://evil.example/x", /:1:1: unknown key "gitRemote"/],
    ["gitImage: evil.example/git", /:1:1: unknown key "gitImage"/],
    ["platform: []", /:1:11: platform must be an operating system/],
    ["apps: {1.10: {}}", /:1:8: a key has to be text; put it in quotes/],
    ["buildArgs: [FOO]", /:1:12: buildArgs must be a list of KEY=VALUE/],
    ["service: [web, web]", /:1:10: service must be .*each once/],
    ["cluster: prod\nclustre: x\n", /^ecs-release\.yaml:2:1: unknown key "clustre"\.\n→ /],
    ["tag-prefix: api/", /:1:1: unknown key "tag-prefix"; did you mean tagPrefix\?/],
    ["apps:\n  api:\n    TagPrefix: api/", /:3:5: unknown key "TagPrefix"; did you mean tagPrefix\?/],
    ["awsAccessKeyId: AKIA", /:1:1: unknown key "awsAccessKeyId"/],
    ["apps:\n  api:\n    apps: {}", /:3:5: unknown key "apps"/],
    ["app: api", /:1:1: unknown key "app"/],
    ["cluster: [", /^ecs-release\.yaml:\d+:\d+: /],
    ["cluster: 7", /:1:10: cluster has to be text; put it in quotes/],
    ["cluster: {a: b}", /:1:1: cluster has to be text/],
    ["buildArgs: A=1", /:1:12: buildArgs has to be a list of text/],
    ["apps:\n  api:\n    platform: arm64", /:3:15: platform must be an operating system/],
    ["apps:\n  - api", /:2:3|:1:1: apps has to consist of keys with values/],
    ["apps:\n  a b: {}", /:2:3: an app's name may have letters/],
    ["cluster: a\ncluster: b", /:2:1: .*unique/],
    ["just text", /:1:1: the file has to consist of keys with values/],
  ])("refuses %j, with line and column", async (text, message) => {
    expect(await error(text)).toMatch(message)
  })
})
