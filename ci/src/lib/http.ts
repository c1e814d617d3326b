/** An answer over HTTP, read to its end. */
export type HttpAnswer = { ok: boolean; status: number; text: string }

/**
 * Sends a request to this host and no other: a redirect is not followed, since it would take a token to another place.
 *
 * @param patience seconds until the answer has to be complete
 * @throws Error that says in words why there was no answer, without the URL, which may be a secret
 */
export async function send(url: URL, init: RequestInit, patience: number): Promise<HttpAnswer> {
  const limit = AbortSignal.timeout(patience * 1000)
  try {
    const answer = await fetch(url, {
      ...init,
      headers: { "user-agent": "ecs-release", ...(init.headers as Record<string, string>) },
      redirect: "manual",
      signal: init.signal ? AbortSignal.any([limit, init.signal]) : limit,
    })
    return { ok: answer.ok, status: answer.status, text: await answer.text() }
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } }
    const why = name === "TimeoutError" ? `no answer within ${patience} s` : cause?.code
    throw new Error(why ?? "it cannot be reached")
  }
}
