import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { DockerApi } from "../session/docker.js"
import { hostServiceId } from "../session/server.js"
import { MARK } from "../session/session.js"
import { type Asked, BASE, base, dockerApi, newState, removeStates, start } from "./session.help.js"

let session: Asked
let docker: DockerApi
let server: Server
let port: number

beforeAll(async () => {
  docker = await dockerApi()
  session = await start(newState())
  server = createServer((request, response) => response.end(`host says ${request.url}`))
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  port = (server.address() as AddressInfo).port
})

afterAll(async () => {
  await session.close()
  server.close()
  docker.close()
  await removeStates()
})

/** A program that gets a URL's body, for an image that has Perl alone. */
const get = (host: string, to: number) =>
  `use IO::Socket::INET; my $s=IO::Socket::INET->new(PeerAddr=>q(${host}:${to})) or die qq($@\\n);print $s qq(GET /x HTTP/1.0\\r\\n\\r\\n);local $/;print((split /\\r\\n\\r\\n/, <$s>)[1])`

const ask = (binding: string, program: string) =>
  `{container{from(address:"${BASE}"){${binding}{withEnvVariable(name:"NOW",value:"${Date.now()}"){withExec(args:["perl","-e",${JSON.stringify(program)}]){stdout}}}}}}`

test("a server on the host's loopback: from the host, and from a container bound to it", {
  timeout: 60_000,
}, async () => {
  const service = hostServiceId("127.0.0.1", port)
  await session.leaf(`{loadServiceFromID(id:"${service}"){start}}`)
  const url: string = await session.leaf(`{loadServiceFromID(id:"${service}"){endpoint(scheme:"http")}}`)
  expect(url).toBe(`http://127.0.0.1:${port}`)
  expect(await (await fetch(`${url}/y`)).text()).toBe("host says /y")
  const binding = `withServiceBinding(alias:"aws",service:"${service}")`
  expect(await session.leaf(ask(binding, get("aws", port)))).toBe("host says /x")
  expect(await session.leaf(ask(binding, get("127.0.0.1", port)))).toBe("host says /x")
})

test("the same through host.service; another port before it is refused", async () => {
  const ports = `ports:[{backend:${port},protocol:TCP}]`
  await session.leaf(`{host{service(${ports}){start}}}`)
  expect(await session.leaf(`{host{service(${ports}){endpoint}}}`)).toBe(`127.0.0.1:${port}`)
  const other = session.leaf(`{host{service(ports:[{backend:${port},frontend:1}]){endpoint}}}`)
  await expect(other).rejects.toThrow("leave out frontend")
})

test("a service that wasn't started: only a container bound to it reaches it", {
  timeout: 60_000,
}, async () => {
  const own = await start(newState())
  const service = hostServiceId("127.0.0.1", port)
  const at: string = await own.leaf(`{loadServiceFromID(id:"${service}"){endpoint}}`)
  expect(at).toMatch(/^\w+\.not-started\.invalid:\d+$/)
  await expect(fetch(`http://${at}/y`)).rejects.toThrow()
  const binding = `withServiceBinding(alias:"aws",service:"${service}")`
  expect(await own.leaf(ask(binding, get(at.replace(/:.*/, ""), port)))).toBe("host says /x")
  await own.close()
})

test("a container that isn't bound to it doesn't reach the host's loopback", {
  timeout: 60_000,
}, async () => {
  const answer = await session.ask(ask('withWorkdir(path:"/")', get("127.0.0.1", port)))
  expect(answer.errors?.[0]?.extensions).toMatchObject({ _type: "EXEC_ERROR" })
})

const listen = (tell: string) =>
  `use IO::Socket::INET; my $s=IO::Socket::INET->new(LocalPort=>8000,Listen=>9,ReuseAddr=>1); while(my $c=$s->accept){my $l=<$c>;print $c qq(HTTP/1.0 200 OK\\r\\n\\r\\n${tell});close $c}`

const made = (program: string, then: string) =>
  `{container{from(address:"${BASE}"){withExposedPort(port:8000){asService(args:["perl","-e",${JSON.stringify(program)}]){${then}}}}}}`

async function running(): Promise<string[]> {
  const filters = JSON.stringify({ label: [`${MARK}=${session.session.place}`] })
  const found = await docker.json("GET", "/containers/json", { query: { filters } })
  return found.map((one: { Id: string }) => one.Id)
}

test("a service in a container: from the host, from a bound container, until it is stopped", {
  timeout: 60_000,
}, async () => {
  const service: string = await session.leaf(made(listen("served"), "id"))
  await session.leaf(`{loadServiceFromID(id:"${service}"){start}}`)
  const url: string = await session.leaf(`{loadServiceFromID(id:"${service}"){endpoint(scheme:"http")}}`)
  expect(await (await fetch(url)).text()).toBe("served")
  const binding = `withServiceBinding(alias:"web",service:"${service}")`
  expect(await session.leaf(ask(binding, get("web", 8000)))).toBe("served")
  expect(await running()).toHaveLength(1)
  await session.leaf(`{loadServiceFromID(id:"${service}"){stop}}`)
  expect(await running()).toHaveLength(0)
})

test("a service that ends at once says why", async () => {
  const answer = await session.ask(made("die qq(no luck\\n)", "start"))
  expect(answer.errors?.[0]?.extensions).toMatchObject({ _type: "EXEC_ERROR", stderr: "no luck" })
  expect(await running()).toHaveLength(0)
})

test("closing a session ends its services; a dead session's are ended by the next", {
  timeout: 60_000,
}, async () => {
  const own = await start(newState())
  await own.leaf(made(listen("bye"), "start"))
  await own.close()
  expect(await running()).toHaveLength(0)

  const state = newState()
  const first = await start(state)
  const labels = { ...first.session.labels, [`${MARK}.owner`]: "999999999.dead" }
  const json = { Image: await base(), Cmd: ["sleep", "60"], Labels: labels }
  const { Id } = await docker.json("POST", "/containers/create", { json })
  await first.close()
  expect(await docker.find(`/containers/${Id}/json`)).toBeDefined()
  await (await start(state)).close()
  expect(await docker.find(`/containers/${Id}/json`)).toBeUndefined()
})
