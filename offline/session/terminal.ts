import { createContainer } from "./create.js"
import { decodeId } from "./recipe.js"
import { settle } from "./rootfs.js"
import { startBound } from "./service.js"
import type { Session } from "./session.js"
import type { ContainerValue } from "./values.js"

/**
 * Runs a command (a shell by default) in a container, given by its ID, on this process's terminal. What it changes is
 * dropped at the end. Gives the command's exit code.
 */
export async function openTerminal(session: Session, id: string, cmd: string[] = ["sh"]): Promise<number> {
  const container = await settle(session, await session.evaluate<ContainerValue>(decodeId(id, "Container")))
  const created = await createContainer(session, container, cmd, await startBound(session, container), {
    stdin: true,
    tty: true,
  })
  try {
    const { cli, host } = session.docker.target
    const args = ["start", "--attach", "--interactive", created.id]
    const { execa } = await import("execa")
    const { exitCode } = await execa(cli, args, {
      env: { DOCKER_HOST: host },
      stdio: "inherit",
      reject: false,
    })
    return exitCode ?? 1
  } finally {
    await created.remove()
  }
}
