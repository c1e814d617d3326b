import { execFile } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gitConfig, gitEnvironment } from "../../src/git/config.js"
import { readHead } from "../../src/git/head.js"
import { pathsOf, readCommits } from "../../src/git/log.js"
import { imported, importHistory, inspect } from "../../src/git/repository.js"
import type { Shell } from "../../src/git/shell.js"
import { chooseBase, decide } from "../../src/version/decide.js"

const folder = mkdtempSync(join(tmpdir(), "ecs-release-git-"))
const configFile = join(folder, "config")
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

/** The history of a clone as the module opens it, except for the container. */
export async function localHistory(clone: string, { prefix = "", environment = {} } = {}) {
  const source = await inspect(localShell(clone), prefix)
  const [cwd, files] = [mkdtempSync(join(folder, "history-")), mkdtempSync(join(folder, "import-"))]
  writeFileSync(join(files, "refs"), source.refs === "" ? "" : `${source.refs}\n`)
  const paths = { OBJECTS: source.objects, SHALLOW: source.shallow ?? "", REFS: join(files, "refs") }
  const shell = localShell(cwd, { ...imported(source), ...paths, ...environment })
  const { code, stderr } = await shell(importHistory)
  if (code !== 0) throw new Error(stderr)
  return { shell, source, cwd }
}

/** The version of a clone, as the module finds it, except for the container. */
export async function versionOfClone(clone: string, { path = "", prefix = "" } = {}) {
  const { shell } = await localHistory(clone, { prefix })
  const head = await readHead(shell, prefix, path)
  const base = chooseBase(head)
  const commits = await readCommits(shell, base?.tag ?? "", path)
  return decide({ ...head, commits, path: pathsOf(path) })
}
