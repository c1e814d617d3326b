import { createHash } from "node:crypto"

/** An argument of a call: plain JSON, or an object named by its own recipe. */
export type Argument = null | boolean | number | string | Recipe | Argument[] | { [name: string]: Argument }
export type Arguments = Record<string, Argument>

/**
 * One call of a chain such as `container.from("debian").withExec(["true"])`: the object it gives is known by how it is
 * made, and is made only when somebody asks for a plain value of it.
 */
export class Recipe {
  /** The same for equal chains, no matter who builds them. */
  readonly digest: string

  constructor(
    /** GraphQL type of the object. */
    readonly type: string,
    /** The field of the parent (of Query, without one) that gives it. */
    readonly field: string,
    readonly args: Arguments,
    readonly parent?: Recipe,
  ) {
    const call = [type, field, parent?.digest ?? null, flatten(args, recipe => ({ $: recipe.digest }))]
    this.digest = createHash("sha256").update(JSON.stringify(call)).digest("hex")
  }
}

/** An ID that doesn't hold a recipe. The message is the API's to show. */
export class BadId extends Error {}

type Flat = [type: string, field: string, parent: number | null, args: Record<string, unknown>]

/** The recipe as an ID: base64 of the JSON list of its calls, each once, parents before children. */
export function encodeId(recipe: Recipe): string {
  const calls: Flat[] = []
  const places = new Map<string, number>()
  const add = (one: Recipe): number => {
    const known = places.get(one.digest)
    if (known !== undefined) return known
    const parent = one.parent ? add(one.parent) : null
    const args = flatten(one.args, inner => ({ $: add(inner) })) as Record<string, unknown>
    places.set(one.digest, calls.push([one.type, one.field, parent, args]) - 1)
    return calls.length - 1
  }
  add(recipe)
  return Buffer.from(JSON.stringify(calls)).toString("base64")
}

/**
 * The recipe an ID holds. With `type`, an object of another type is refused. Throws BadId.
 */
export function decodeId(id: string, type?: string): Recipe {
  let recipe: Recipe | undefined
  try {
    const made: Recipe[] = []
    const inflate = (value: unknown): Argument => {
      if (Array.isArray(value)) return value.map(inflate)
      if (value === null || typeof value !== "object") return value as Argument
      if ("$" in value) return at(made, value.$ as number)
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inflate(inner)]))
    }
    for (const [kind, field, parent, args] of JSON.parse(Buffer.from(id, "base64").toString()) as Flat[]) {
      made.push(
        new Recipe(kind, field, inflate(args) as Arguments, parent === null ? undefined : at(made, parent)),
      )
    }
    recipe = made.at(-1)
  } catch {
    recipe = undefined
  }
  if (!recipe) throw new BadId(`this is not an ID: it holds no chain of calls: ${id.slice(0, 100)}`)
  if (type && recipe.type !== type)
    throw new BadId(`expected the ID of a ${type}, got that of a ${recipe.type}`)
  return recipe
}

function at(made: Recipe[], place: number): Recipe {
  const recipe = made[place]
  if (!recipe) throw new BadId("a call is missing")
  return recipe
}

/** The argument as plain JSON with sorted names, each recipe in it replaced. */
function flatten(value: Argument | undefined, replace: (recipe: Recipe) => unknown): unknown {
  if (value instanceof Recipe) return replace(value)
  if (Array.isArray(value)) return value.map(inner => flatten(inner, replace))
  if (value === null || typeof value !== "object") return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map(name => [name, flatten(value[name], replace)]))
}
