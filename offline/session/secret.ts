import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import { UserError } from "./errors.js"
import { Recipe } from "./recipe.js"
import type { Field, Fields, Session } from "./session.js"
import type { SecretValue } from "./values.js"

/**
 * Keeps a secret's plain value in the session's memory and gives a recipe that only names it: neither the value nor a bare
 * hash of it is in an ID.
 */
export function keepSecret(session: Session, name: string, plaintext: string): Recipe {
  const fingerprint = session.store.fingerprint(plaintext)
  session.secrets.set(fingerprint, plaintext)
  return new Recipe("Secret", "setSecret", { name, fingerprint })
}

/** Query.setSecret, by the recipe that keepSecret gave. */
export const setSecret: Field = (session, _, { name, fingerprint }): SecretValue => ({
  ...{ name, uri: "" },
  plaintext: async () => {
    const plaintext = session.secrets.get(fingerprint)
    if (plaintext === undefined) throw new UserError(`secret ${name} was not set in this session`)
    return plaintext
  },
  fingerprint: async () => fingerprint,
})

/** Query.secret: one of the host, read once when it is first needed. */
export const secret: Field = (session, _, { uri }: { uri: string }): SecretValue => {
  const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(uri) ?? []
  const read = PROVIDERS[scheme]
  if (!read)
    throw new UserError(`unsupported secret provider: "${scheme}" (served here: env://, file://, cmd://)`)
  let value: Promise<string> | undefined
  const plaintext = () => {
    value ??= read(rest)
    return value
  }
  return { name: "", uri, plaintext, fingerprint: async () => session.store.fingerprint(await plaintext()) }
}

const PROVIDERS: Record<string, (rest: string) => Promise<string>> = {
  env: async name => {
    const value = process.env[name]
    if (value === undefined) throw new UserError(`secret env var not found: "${name}"`)
    return value
  },
  file: async path => {
    try {
      return readFileSync(path.replace(/^~(?=\/)/, process.env.HOME ?? "~"), "utf8")
    } catch (error) {
      throw new UserError(`secret file not readable: "${path}" (${(error as NodeJS.ErrnoException).code})`)
    }
  },
  cmd: async command => {
    try {
      return (await promisify(execFile)("sh", ["-c", command])).stdout
    } catch {
      throw new UserError(`secret command failed: "${command}". Run it by hand to see why.`)
    }
  },
}

/** Fields of Secret. */
export const secretFields: Fields[string] = {
  name: (_, { name }: SecretValue) => name,
  uri: (_, { uri }: SecretValue) => uri,
  plaintext: (_, { plaintext }: SecretValue) => plaintext(),
}
