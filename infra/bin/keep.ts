/** Before an update of the stack: makes sure that the update can't move the running version. */
import { ECSClient } from "@aws-sdk/client-ecs"
import { config } from "../config.js"
import { assertComplete } from "../lib/complete.js"
import { keepRunning } from "../lib/keep.js"

assertComplete(config)
try {
  const { ok, says } = await keepRunning(new ECSClient({ region: config.region }), config.name)
  console.error(says)
  if (!ok) process.exitCode = 1
} catch (error) {
  console.error(`Could not read what ${config.name} runs: ${(error as Error).message}`)
  console.error("Sign in to AWS first (aws sso login, or the AWS_* variables), then run this again.")
  process.exitCode = 1
}
