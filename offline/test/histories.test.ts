import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connection, dag } from "@dagger.io/dagger"
import { afterAll, beforeAll, expect, test } from "vitest"
import { EcsRelease } from "../../ci/src/index.js"
import { build, cases } from "../../ci/test/git/histories.js"
import { ensureDocker } from "../machine/docker.js"
import { resolveImage } from "../machine/images.js"
import { startSession } from "../session/server.js"

// The module's own functions, in a session of the stand-in, on every recorded history.

const folder = mkdtempSync(join(tmpdir(), "histories-"))
let close: () => Promise<void>

beforeAll(async () => {
  const docker = await ensureDocker(console.error)
  const session = await startSession({
    docker,
    stateDir: join(folder, "state"),
    resolveImage: ref => resolveImage(docker, ref, console.error),
  })
  process.env.DAGGER_SESSION_PORT = String(session.port)
  process.env.DAGGER_SESSION_TOKEN = session.token
  close = () => session.close()
})

afterAll(async () => {
  await close()
  rmSync(folder, { recursive: true })
})

test.each(cases.map(one => [one.name, one] as const))("%s", async (_, one) => {
  const { next, bump, current, error } = one.expected
  const clone = build(one, join(folder, one.name))
  await connection(async () => {
    const module = new EcsRelease(dag.host().directory(clone), undefined, one.path)
    if (error) {
      for (const call of [module.version(), module.plan(), module.release()])
        await expect(call).rejects.toThrow(/→ /)
      return
    }
    expect(JSON.parse(await module.plan())).toMatchObject({
      version: next ?? current,
      next,
      bump,
      current,
    })
  })
})
