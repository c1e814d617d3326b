/**
 * Runs in a process of its own: the module's code under the SDK's entrypoint, which asks the session what to do.
 * Arguments: the SDK's generated client, then the files of the module. The working directory is the module's.
 */
import { dirname } from "node:path"
import * as sdk from "@dagger.io/dagger"
import type ts from "typescript"
import { narrowScan } from "./scan.js"

// The command that started this process holds the other end. When it is gone, however it ended, so is this.
process.stdin.once("close", () => process.kill(process.pid, "SIGKILL")).resume()

const [client = "", ...files] = process.argv.slice(2)
// The bundle that stands for the SDK here has the compiler in it as well.
narrowScan((sdk as unknown as { ts: typeof ts }).ts.sys, process.cwd(), dirname(client))

try {
  await sdk.entrypoint([...files, client])
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
