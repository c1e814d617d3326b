import type { Field, Fields } from "./chain.js"

/** One function to call: of which object, in which state, with what. The constructor's name is "". */
export interface Call {
  object: string
  state: unknown
  name: string
  args: Record<string, unknown>
}

/** The error a function ended with; `extensions` are what an exec's error knows of itself. */
export class FunctionError extends Error {
  constructor(
    message: string,
    readonly extensions: Record<string, unknown>,
  ) {
    super(message)
  }
}

/** How a run hands in what came of it. */
export interface Outcome {
  returned(value: unknown): void
  failed(error: FunctionError): void
}

/**
 * The fields by which the SDK asks what to call and tells the outcome. `call` may come late: who asks for it waits. A call of no
 * object at all asks the module to describe itself; the answer is then the ID of a Module, given to `outcome` as that Module.
 */
export function callFields(moduleName: string, call: Promise<Call | undefined>, outcome: Outcome): Fields {
  const ask =
    (field: (call: Call | undefined) => unknown): Field =>
    async () =>
      field(await call)
  return {
    Query: {
      currentModule: () => ({ type: "CurrentModule", value: moduleName }),
      currentFunctionCall: () => ({ type: "FunctionCall", value: undefined }),
      error: (_, { message }) => ({ type: "Error", value: { message, values: {} } }),
    },
    CurrentModule: { name: name => name },
    FunctionCall: {
      parentName: ask(call => call?.object ?? ""),
      name: ask(call => call?.name ?? ""),
      parent: ask(call => JSON.stringify(call?.state ?? {})),
      inputArgs: ask(call =>
        Object.entries(call?.args ?? {}).map(([name, value]) => ({
          type: "FunctionCallArgValue",
          value: { name, value: JSON.stringify(value) },
        })),
      ),
      returnValue: async (_, { value }, byId) => {
        const returned = JSON.parse(value as string) as unknown
        outcome.returned((await call) ? returned : byId(returned))
      },
      returnError: (_, { error }, byId) => {
        const { message, values } = byId(error) as { message: string; values: Record<string, unknown> }
        outcome.failed(new FunctionError(message, values))
      },
    },
    FunctionCallArgValue: { name: arg => arg.name, value: arg => arg.value },
    Error: {
      withValue: (error, { name, value }) => ({
        type: "Error",
        value: { ...error, values: { ...error.values, [name]: JSON.parse(value as string) } },
      }),
    },
  }
}
