import { type FieldNode, Kind, type SelectionSetNode, valueFromASTUntyped } from "graphql"

/** An object that a query can walk on from. */
export interface Node {
  type: string
  // biome-ignore lint/suspicious/noExplicitAny: each type's fields know its own value
  value: any
}

type Args = Record<string, unknown>

/** What a field of a type gives: a Node, a list of Nodes or a plain value. `byId` finds the Node an ID names. */
// biome-ignore lint/suspicious/noExplicitAny: see Node
export type Field = (value: any, args: any, byId: (id: unknown) => any) => unknown

/** The fields of each type, by the type's name. */
export type Fields = Record<string, Record<string, Field>>

/**
 * Answers queries that walk along chains of calls, the only shape the SDK sends. IDs name values that are kept here for as
 * long as this object lives. It knows no schema: whoever asks is the SDK, and a field that is missing is an error.
 */
export class Chains {
  private readonly kept = new Map<string, Node>()

  constructor(
    private readonly fields: Fields,
    private readonly prefix: string,
  ) {}

  /** True where the query starts with a field of ours, or loads one of our IDs. */
  owns(first: FieldNode): boolean {
    if (first.name.value === "node") return String(argsOf(first).id).startsWith(this.prefix)
    return first.name.value in (this.fields.Query ?? {})
  }

  /** The data that a query's selection asks for, from the root. */
  async answer(selection: SelectionSetNode): Promise<Record<string, unknown>> {
    return this.select({ type: "Query", value: undefined }, selection)
  }

  private async select(parent: Node, selection: SelectionSetNode): Promise<Record<string, unknown>> {
    const data: Record<string, unknown> = {}
    for (const one of selection.selections) {
      if (one.kind === Kind.INLINE_FRAGMENT) Object.assign(data, await this.select(parent, one.selectionSet))
      if (one.kind === Kind.FIELD) data[one.name.value] = await this.field(parent, one)
    }
    return data
  }

  private async field(parent: Node, asked: FieldNode): Promise<unknown> {
    const name = asked.name.value
    const args = argsOf(asked)
    if (name === "id" && parent.type !== "Query") return this.keep(parent)
    const found =
      name === "node" && parent.type === "Query"
        ? this.load(args.id)
        : await this.resolve(parent.type, name)(parent.value, args, id => this.load(id).value)
    if (!asked.selectionSet) return found ?? null
    const nested = asked.selectionSet
    if (Array.isArray(found)) return Promise.all(found.map(node => this.select(node as Node, nested)))
    return this.select(found as Node, nested)
  }

  private resolve(type: string, name: string): Field {
    const field = this.fields[type]?.[name]
    if (!field) throw new Error(`Cannot query field "${name}" on type "${type}".`)
    return field
  }

  private keep(node: Node): string {
    const id = `${this.prefix}${this.kept.size}`
    this.kept.set(id, node)
    return id
  }

  private load(id: unknown): Node {
    const node = this.kept.get(String(id))
    if (!node) throw new Error(`no object has the ID ${String(id)}`)
    return node
  }
}

function argsOf(field: FieldNode): Args {
  return Object.fromEntries(
    (field.arguments ?? []).map(arg => [arg.name.value, valueFromASTUntyped(arg.value)]),
  )
}
