import { execFile } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readCommits, readHead } from "../../src/git/head.js"
import { gitConfig, gitEnvironment, type Shell } from "../../src/git/repository.js"
import { chooseBase, decide } from "../../src/version/decide.js"

const configFile = join(mkdtempSync(join(tmpdir(), "ecs-release-git-")), "config")
writeFileSync(configFile, gitConfig(["https", "http", "git", "file"]))

/** A shell on this machine: the scripts are the ones that run in the container. */
export function localShell(cwd: string, environment: Record<string, string> = {}): Shell {
  const env = {
    ...process.env,
    ...gitEnvironment,
    GIT_CONFIG_GLOBAL: configFile,
    ...environment,
    HOME: "/nonexistent",
  }
  return (script, ...args) =>
    new Promise(resolve => {
      const options = { cwd, env, maxBuffer: 1 << 29 }
      execFile("sh", ["-euc", script, "sh", ...args], options, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
      })
    })
}

/** The version of a clone, as the module finds it but for the container. */
export async function versionOfClone(cwd: string, { path = "", prefix = "" } = {}) {
  const shell = localShell(cwd)
  const head = await readHead(shell, prefix)
  const base = chooseBase(head)
  return decide({ ...head, commits: await readCommits(shell, base?.tag ?? "", path) })
}
