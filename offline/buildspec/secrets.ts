import { BuildError } from "./errors.js"

/** What stands for Secrets Manager: secrets by name. */
export type Secrets = Record<string, string>

/**
 * The value that a reference `SECRET_ID[:JSON_KEY[:STAGE[:VERSION]]]` names; SECRET_ID is a name or an ARN.
 *
 * @throws BuildError where there is no such secret or key
 */
export function secretValue(reference: string, secrets: Secrets): string {
  const [, id = "", rest = ""] = /^(arn:(?:[^:]*:){5}[^:]+|[^:]+)(.*)$/.exec(reference) ?? []
  const name = id.replace(/^arn:.*:/, "")
  const secret = secrets[name] ?? secrets[name.replace(/-\w{6}$/, "")]
  if (secret === undefined) {
    const known = Object.keys(secrets).join(", ") || "none"
    throw new BuildError(
      `Secrets Manager can't find the specified secret: ${name}. Offline there are: ${known}.`,
    )
  }
  const [, key = ""] = rest.split(":")
  if (key === "") return secret
  const value = valuesOf(secret)[key]
  if (typeof value !== "string") throw new BuildError(`The secret ${name} has no key ${key}.`)
  return value
}

function valuesOf(secret: string): Record<string, unknown> {
  try {
    return (JSON.parse(secret) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}
