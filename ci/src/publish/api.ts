import { UserError } from "../lib/errors.js"
import { send } from "../lib/http.js"
import { parseJson } from "../lib/json.js"

/** The API of a site that hosts git repositories, for one repository. */
export type Api = {
  /** The beginning of every address, without a slash at its end. */
  base: string
  headers: Record<string, string>
  signal?: AbortSignal
}

/** An answer: its status, and its parsed JSON. */
export type Answer<T> = { status: number; body: T }

/** Seconds that the API has to answer. */
const patience = 20

/**
 * Calls the API.
 *
 * @param isFine whether an answer that is no success is one all the same
 * @throws UserError for any other, with the API's words
 */
export async function call<T>(
  { base, headers, signal }: Api,
  method: string,
  path: string,
  body?: object,
  isFine: (status: number, text: string) => boolean = () => false,
): Promise<Answer<T>> {
  const url = new URL(`${base}${path}`)
  const failed = (why: string) =>
    new UserError(
      `${url.host} refused ${method} ${url.pathname}.`,
      why,
      "The token (--git-token) has to be allowed to write contents (releases), commit statuses and deployments; on GitLab it needs the scope api.",
    )
  const type = body && { "content-type": "application/json" }
  const request = { method, headers: { ...headers, ...type }, body: body && JSON.stringify(body), signal }
  const { ok, status, text } = await send(url, request, patience).catch(error =>
    Promise.reject(failed(`The request failed: ${error.message}.`)),
  )
  if (ok || isFine(status, text)) return { status, body: (parseJson(text) ?? {}) as T }
  throw failed(`It answered ${status}: ${text.slice(0, 500)}`)
}

/** Whether an answer says that something does not exist. */
export const missing = (status: number) => status === 404
