import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { Script } from "node:vm"

/**
 * Loads a CommonJS file. The first process saves V8's compiled code in the file `kept` when it calls `keep`, and all later ones use it:
 * a large file then loads in a third of the time, and the code that has run by then is already compiled. The file must not
 * import() anything.
 *
 * @param {string} path absolute
 * @param {string} kept absolute; the version of Node.js is added
 * @returns {{ exports: Record<string, unknown>, keep: () => void }}
 */
export function loadCompiled(path, kept) {
  const keptPath = `${kept}.${process.version}-${process.arch}`
  const cachedData = read(keptPath)
  const text = `(function (exports, require, module, __filename, __dirname) {${readFileSync(path, "utf8")}\n})`
  const script = new Script(text, { filename: path, cachedData })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(path), module, path, dirname(path))
  let isKept = cachedData !== undefined && !script.cachedDataRejected
  const keep = () => {
    if (!isKept) write(script, keptPath)
    isKept = true
  }
  return { exports: module.exports, keep }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** @param {Script} script @param {string} path */
function write(script, path) {
  try {
    writeFileSync(`${path}.${process.pid}`, script.createCachedData())
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // The next one will try again.
  }
}
