import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Answer, type Asked, BASE, newState, removeStates, start } from "./session.help.js"
import { type Registry, startRegistry } from "./session.registry.js"

/*
 * Answers that a real engine gave, and ours to the same queries. Compared: data as a whole; of an error its extensions, and its
 * message where a program may read it (exec errors, "no command has been set"). Not compared: trace numbers, digests, an
 * error's path, the wording of other messages.
 */

interface Case {
  name: string
  query: string
  answer: Answer
}

const cases: Case[] = JSON.parse(readFileSync(new URL("data/answers.json", import.meta.url), "utf8"))
let session: Asked
let registry: Registry

beforeAll(async () => {
  session = await start(newState())
  registry = await startRegistry()
})

afterAll(async () => {
  await session.close()
  registry.close()
  await removeStates()
})

const dockerfile = [
  ...["ARG WHO=nobody", `FROM ${BASE} AS one`, "RUN echo one > /one", "LABEL stage=one"],
  ...["FROM one AS broken", "RUN exit 7"],
  ...[
    "FROM one AS final",
    "ARG WHO",
    "RUN echo $WHO > /out",
    "LABEL stage=final",
    'ENTRYPOINT ["cat"]',
    'CMD ["/out"]',
  ],
]

/** What the queries' names for objects stand for. */
const makers: Record<string, string> = {
  DIR: '{directory{withNewFile(path:"a.txt",contents:"A"){withNewFile(path:"sub/b.md",contents:"B"){withNewFile(path:"sub/c.txt",contents:"C"){id}}}}}',
  FILE: '{directory{withNewFile(path:"f",contents:"F"){file(path:"f"){id}}}}',
  SECRET: '{setSecret(name:"conf-secret",plaintext:"s3cr3t-value"){id}}',
  BUILD: `{directory{withNewFile(path:"Dockerfile",contents:${JSON.stringify(`${dockerfile.join("\n")}\n`)}){id}}}`,
}

async function filled(query: string): Promise<string> {
  let text = query.replaceAll("$BASE", BASE).replaceAll("$REGISTRY", registry.address)
  for (const [name, make] of Object.entries(makers)) {
    if (text.includes(`"$${name}"`))
      text = text.replaceAll(`"$${name}"`, JSON.stringify(await session.leaf(make)))
  }
  return text
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") {
    return value
      .replace(/ ?\[traceparent:[^\]]*\]/g, "")
      .replace(/(sha256|xxh3):[0-9a-f]+/g, "$1:…")
      .replaceAll(registry.address, "$REGISTRY")
      .replaceAll(BASE, "$BASE")
  }
  if (Array.isArray(value)) return value.map(cleaned)
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, cleaned(inner)]))
}

function compared({ data, errors }: Answer): unknown {
  const [error] = errors ?? []
  if (!error) return cleaned({ data })
  const told = error.extensions?._type || error.message.includes("no command has been set")
  return cleaned({ extensions: error.extensions, ...(told ? { message: error.message } : {}) })
}

describe("the answers of a real engine", () => {
  test("are all here", () => expect(cases.length).toBeGreaterThanOrEqual(55))

  test.each(cases.map(one => [one.name, one] as const))("%s", async (_, one) => {
    const answer = await session.ask(await filled(one.query))
    expect(compared(answer)).toEqual(compared(one.answer))
    expect(Boolean(answer.errors)).toBe(Boolean(one.answer.errors))
  })
})
