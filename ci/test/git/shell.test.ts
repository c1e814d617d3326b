import type { Container, Directory } from "@dagger.io/dagger"
import { expect, test } from "vitest"
import { ContainerShell } from "../../src/git/shell.js"

/** A container that takes its time to run a script, and whose output is that script and whether a secret was there. */
function container(script = "", secrets = 0, seen = 0): Container {
  const fake = {
    withExec: ([, , , next = ""]: string[]) => container(next, secrets, secrets),
    withMountedDirectory: () => container(script, secrets, seen),
    withEnvVariable: () => container(script, secrets, seen),
    withSecretVariable: () => container(script, secrets + 1, seen),
    withoutSecretVariable: () => container(script, secrets - 1, seen),
    exitCode: () => new Promise(done => setTimeout(done, script.includes("slow") ? 20 : 1, 0)),
    file: () => ({ contents: async () => `${script} with ${seen} secrets` }),
    stderr: async () => "",
  }
  return fake as unknown as Container
}

test("scripts that are asked for at once run one after another: each gets its own output", async () => {
  const shell = new ContainerShell(container(), {} as Directory)
  shell.open({ environment: {}, secrets: { TOKEN: {} as never } })
  const asked = [shell.run("slow"), shell.remote("fetch"), shell.run("quick"), shell.remote("slow push")]
  expect((await Promise.all(asked)).map(({ stdout }) => stdout)).toEqual([
    "slow with 0 secrets",
    "fetch with 1 secrets",
    "quick with 0 secrets",
    "slow push with 1 secrets",
  ])
})
