import type { Secret } from "@dagger.io/dagger"

/**
 * A Secret's value without surrounding white space (`cmd://` leaves a newline), or undefined if it has none. An unset
 * `env://` variable does not fail the call by itself: only reading its value throws.
 */
export async function plaintext(secret?: Secret): Promise<string | undefined> {
  try {
    return (await secret?.plaintext())?.trim() || undefined
  } catch {
    return undefined
  }
}
