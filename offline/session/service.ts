import { lookup } from "node:dns/promises"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { type Bound, type Created, commandOf, createContainer, identity, scrubberOf } from "./create.js"
import { DockerError, readFrames } from "./docker.js"
import { ExecError, UserError } from "./errors.js"
import { encodeId, Recipe } from "./recipe.js"
import { settle } from "./rootfs.js"
import type { ContainerValue, Field, Fields, Port, Running, ServiceValue, Session } from "./session.js"
import { keyOf } from "./store.js"
import { LineLog } from "./text.js"

/** How long a service has to open its ports, in milliseconds. */
const PATIENCE = 60_000

/** The ID of a Service that represents a server listening on the host; ports are TCP. */
export function hostServiceId(host: string, ...ports: number[]): string {
  const forwards = ports.map(port => ({ backend: port, frontend: port, protocol: "TCP" }))
  return encodeId(new Recipe("Service", "service", { host, ports: forwards }, new Recipe("Host", "host", {})))
}

/** Host.service. The host's own port is used as it is: there is no tunnel, so it can't be mapped to another one. */
export const hostService: Field = (_, __, { host, ports }): ServiceValue => {
  const forwards = (ports as { backend: number; frontend?: number | null; protocol: Port["protocol"] }[]).map(
    port => {
      if ((port.frontend ?? port.backend) === port.backend)
        return { port: port.backend, protocol: port.protocol }
      throw new UserError(
        `host.service: port ${port.backend} can't be mapped to ${port.frontend} here: leave out frontend`,
      )
    },
  )
  if (forwards.length === 0) throw new UserError("host.service: no ports specified")
  return { key: keyOf("host service", host, forwards), ports: forwards, run: { host } }
}

/** Container.asService: the given command, or the container's own with its entrypoint. */
export const asService: Field = async (_, container: ContainerValue, options): Promise<ServiceValue> => {
  const { Entrypoint, Cmd } = container.config
  if (options.args.length + (Entrypoint ?? []).length + (Cmd ?? []).length === 0) {
    throw new UserError("no service command has been set")
  }
  const useEntrypoint = options.useEntrypoint || (options.args.length === 0 && !container.ownArgs)
  const args = commandOf(container, { ...options, useEntrypoint })
  const key = keyOf("service", await identity(container), container.edits, args, container.ports)
  return { key, ports: container.ports, run: { container, args } }
}

/** Starts a service unless the session runs it already, and waits until its ports are open. */
function startService(session: Session, service: ServiceValue): Promise<Running> {
  const known = session.services.get(service.key)
  if (known) return known
  const started = "host" in service.run ? onHost(service.run.host) : inDocker(session, service, service.run)
  session.services.set(service.key, started)
  started.catch(() => session.services.delete(service.key))
  return started
}

/** Starts the services that a container is bound to. */
export function startBound(session: Session, container: ContainerValue): Promise<Bound[]> {
  return Promise.all(
    container.services.map(async ({ alias, service }) => {
      const { address, network } = await startService(session, service)
      return { names: [alias, idleName(service)], address, network }
    }),
  )
}

/**
 * The name that a service has until it is started. Only a container bound to the service can resolve it, so a function that
 * forgets `start()` fails here as it does on an engine.
 */
function idleName(service: ServiceValue): string {
  return `${service.key.slice(0, 13)}.not-started.invalid`
}

/** Where a service answers: its address once it was started, else its idle name. */
async function hostOf(session: Session, service: ServiceValue): Promise<string> {
  return (await session.services.get(service.key))?.address ?? idleName(service)
}

/** Stops a service if it runs. */
async function stopService(session: Session, service: ServiceValue): Promise<void> {
  const running = session.services.get(service.key)
  session.services.delete(service.key)
  await (await running)?.stop()
}

async function onHost(host: string): Promise<Running> {
  const { address } = await lookup(host === "localhost" ? "127.0.0.1" : host, { family: 4 })
  return { address, network: "host", stop: async () => {} }
}

async function inDocker(
  session: Session,
  service: ServiceValue,
  run: { container: ContainerValue; args: string[] },
): Promise<Running> {
  const container = await settle(session, run.container)
  const scrubber = await scrubberOf(container)
  session.log(`service ${scrubber.text(run.args.join(" "))}`)
  const created = await createContainer(session, container, run.args, await startBound(session, container))
  try {
    const output: string[] = []
    const lines = new LineLog(line => {
      output.push(line)
      session.log(line)
    }, scrubber)
    const streams = await session.docker.attach(created.id, false)
    readFrames(streams, (_, part) => lines.take(part)).then(
      () => lines.end(),
      () => {},
    )
    await session.docker.json("POST", `/containers/${created.id}/start`)
    const address = await addressOf(session, created)
    for (const port of service.ports) {
      if (port.protocol === "UDP") continue
      await open(session, created, address, port.port, { args: run.args, output })
    }
    return { address, network: created.network, stop: () => stop(session, created) }
  } catch (error) {
    await created.remove()
    throw error
  }
}

async function addressOf(session: Session, { id, network }: Created): Promise<string> {
  if (network === "host") return "127.0.0.1"
  const { NetworkSettings } = await session.docker.json("GET", `/containers/${id}/json`)
  return NetworkSettings.Networks.bridge?.IPAddress || "127.0.0.1"
}

/** Waits until a port accepts connections; throws if the container ends first or the time is up. */
async function open(
  session: Session,
  { id }: Created,
  address: string,
  port: number,
  about: { args: string[]; output: string[] },
): Promise<void> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(50)) {
    if (await accepts(address, port)) return
    const { State } = await session.docker.json("GET", `/containers/${id}/json`)
    if (!State.Running) throw new ExecError(about.args, State.ExitCode, "", about.output.join("\n"))
  }
  throw new UserError(`service ${about.args.join(" ")}: port ${port} was not open after ${PATIENCE / 1000} s`)
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: 1000 })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false))
  })
}

/** Asks a service's container to end, gives it two seconds, and removes it. */
async function stop(session: Session, created: Created): Promise<void> {
  try {
    await session.docker.json("POST", `/containers/${created.id}/stop`, { query: { t: 2 } })
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
  }
  await created.remove()
}

/** Fields of Service. */
export const serviceFields: Fields[string] = {
  start: async (session, service: ServiceValue) => void (await startService(session, service)),
  stop: (session, service: ServiceValue) => stopService(session, service),
  sync: () => undefined,
  ports: (_, { ports }: ServiceValue) => ports,
  hostname: (session, service: ServiceValue) => hostOf(session, service),
  endpoint: async (session, service: ServiceValue, { port, scheme }) => {
    const chosen = port ?? service.ports[0]?.port
    if (chosen === undefined) throw new UserError("no ports exposed")
    return `${scheme ? `${scheme}://` : ""}${await hostOf(session, service)}:${chosen}`
  },
}
