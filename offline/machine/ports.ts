import { createServer } from "node:net"

/** Free TCP ports on loopback: the wanted ones where they are free, others for those that are taken. */
export async function freePorts(wanted: (number | undefined)[]): Promise<number[]> {
  const held = []
  for (const port of wanted) held.push((port && (await hold(port))) || (await hold(0)))
  return Promise.all(held.map(server => server?.release() ?? 0))
}

interface Held {
  release(): Promise<number>
}

/** Binds a port (0: any) and keeps it until released, so that two wishes never get the same one. */
function hold(port: number): Promise<Held | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      const bound = typeof address === "object" && address ? address.port : 0
      resolve({ release: () => new Promise(done => server.close(() => done(bound))) })
    })
  })
}
