import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { DockerApi } from "../session/docker.js"
import { type Asked, BASE, base, dockerApi, newState, removeStates, start } from "./session.help.js"
import { type Registry, startRegistry } from "./session.registry.js"

let session: Asked
let registry: Registry
let closed: Registry
let docker: DockerApi

beforeAll(async () => {
  docker = await dockerApi()
  session = await start(newState())
  registry = await startRegistry()
  closed = await startRegistry({ username: "AWS", password: "pass-word" })
})

afterAll(async () => {
  await session.close()
  registry.close()
  closed.close()
  docker.close()
  await removeStates()
})

const chain = (
  then: string,
) => `{container{from(address:"${BASE}"){withExec(args:["sh","-c","echo app > /app"]){
  withLabel(name:"org.opencontainers.image.version",value:"1.2.3"){withEnvVariable(name:"APP_VERSION",value:"1.2.3"){
  withEntrypoint(args:["cat"]){withDefaultArgs(args:["/app"]){withUser(name:"nobody"){withWorkdir(path:"/srv"){
  withExposedPort(port:8080){${then}}}}}}}}}}}}`

test("publishes what the recipe set and nothing else, the same each time", async () => {
  const address = `${registry.address}/team/app:1.2.3`
  const published: string = await session.leaf(chain(`publish(address:"${address}")`))
  expect(published).toMatch(new RegExp(`^${address}@sha256:[0-9a-f]{64}$`))
  const body = registry.manifests.get("team/app:1.2.3") ?? Buffer.alloc(0)
  expect(published.split("@")[1]).toBe(`sha256:${createHash("sha256").update(body).digest("hex")}`)
  const manifest = JSON.parse(body.toString())
  const image = JSON.parse(`${registry.blobs.get(manifest.config.digest)}`)
  expect(image.config).toEqual({
    Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "APP_VERSION=1.2.3"],
    Entrypoint: ["cat"],
    Cmd: ["/app"],
    WorkingDir: "/srv",
    User: "nobody",
    Labels: { "org.opencontainers.image.version": "1.2.3" },
    ExposedPorts: { "8080/tcp": {} },
  })
  expect(image.rootfs.diff_ids).toHaveLength(2)

  const again: string = await session.leaf(chain(`publish(address:"${registry.address}/team/app:other")`))
  expect(again.split("@")[1]).toBe(published.split("@")[1])
})

test("leaves no tag behind and puts back one that was there", async () => {
  const name = `${registry.address}/team/app`
  await session.leaf(chain(`publish(address:"${name}:gone")`))
  expect(await docker.find(`/images/${name}:gone/json`)).toBeUndefined()
  await docker.json("POST", `/images/${await base()}/tag`, { query: { repo: name, tag: "kept" } })
  const before = (await docker.find(`/images/${name}:kept/json`)).Id
  await session.leaf(chain(`publish(address:"${name}:kept")`))
  expect((await docker.find(`/images/${name}:kept/json`)).Id).toBe(before)
  await docker.json("DELETE", `/images/${name}:kept`)
})

test("logs in with the container's login", async () => {
  const address = `${closed.address}/team/app:1`
  await expect(session.leaf(chain(`publish(address:"${address}")`))).rejects.toThrow(
    `failed to export: failed to push ${address}:`,
  )
  const secret = await session.leaf('{setSecret(name:"ecr",plaintext:"pass-word"){id}}')
  const login = `withRegistryAuth(address:"${closed.address}",username:"AWS",secret:"${secret}")`
  expect(await session.leaf(chain(`${login}{publish(address:"${address}")}`))).toContain("@sha256:")
  expect(closed.manifests.has("team/app:1")).toBe(true)
  const out = `${login}{withoutRegistryAuth(address:"${closed.address}"){publish(address:"${closed.address}/team/app:2")}}`
  await expect(session.leaf(chain(out))).rejects.toThrow("failed to push")
})

test("an image goes out as a tarball that Docker loads", async () => {
  const path = join(newState(), "image.tar")
  expect(await session.leaf(chain(`export(path:"${path}")`))).toBe(path)
  const answers = await docker.lines("POST", "/images/load", { tar: createReadStream(path) })
  const [, name = ""] = /Loaded image: (\S+)/.exec(`${answers.at(-1)?.stream}`) ?? []
  const { Config } = await docker.find(`/images/${name}/json`)
  expect([Config.Labels, Config.Cmd]).toEqual([{ "org.opencontainers.image.version": "1.2.3" }, ["/app"]])
})
