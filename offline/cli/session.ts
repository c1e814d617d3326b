import { join } from "node:path"
import { ensureDocker } from "../machine/docker.js"
import { resolveImage } from "../machine/images.js"
import type { RunningSession } from "../session/server.js"
import { startSession } from "../session/server.js"
import { STATE_DIR } from "./place.js"
import type { Log } from "./progress.js"

/** Starts a session on Docker, which is found or started. */
export async function openSession(log: Log): Promise<RunningSession> {
  const docker = await ensureDocker(log)
  const resolve = (reference: string) => resolveImage(docker, reference, log)
  return startSession({ docker, stateDir: join(STATE_DIR, "session"), resolveImage: resolve, log })
}
