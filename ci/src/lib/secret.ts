import type { Secret } from "@dagger.io/dagger"

/**
 * A Secret's value without surrounding white space (`cmd://` leaves a newline), or undefined if it has none. An unset
 * `env://` variable is not an error at the call: only asking for its value throws.
 */
export async function plaintext(secret?: Secret): Promise<string | undefined> {
  try {
    return (await secret?.plaintext())?.trim() || undefined
  } catch {
    return undefined
  }
}
