import { ensureDocker } from "../machine/docker.js"
import { sessionsDir } from "../machine/home.js"
import { resolveImage } from "../machine/images.js"
import type { RunningSession } from "../session/server.js"
import { startSession } from "../session/server.js"
import { STATE_DIR } from "./place.js"
import type { Log } from "./progress.js"

/** Starts a session on Docker, which is found or started, for a caller in the folder `workdir`. */
export async function openSession(log: Log, workdir?: string): Promise<RunningSession> {
  const docker = await ensureDocker(log)
  const resolve = (reference: string) => resolveImage(docker, reference, log)
  return startSession({ docker, stateDir: sessionsDir(STATE_DIR), resolveImage: resolve, log, workdir })
}
