/** What a commit's message says according to Conventional Commits 1.0.0. */
export type Message = {
  /** The first line. */
  subject: string
  /** The type in lower case; undefined if the header is not a conventional one. */
  type?: string
  scope?: string
  description: string
  breaking: boolean
  /** The text of the `BREAKING CHANGE` footer, its first line. */
  breakingNote?: string
  /** The value of a `Release-As` footer, as written. */
  releaseAs?: string
  /** Commits that this one reverts; `since` is the mainline parent if the reverted commit is a merge. */
  reverts: { sha: string; since?: string }[]
}

// Every expression is anchored and no two adjacent repetitions can match the same character: time is linear in the
// message's length, whatever the message.
const header = /^([\p{L}\p{N}][\p{L}\p{N}_-]*)(?:\(([^()]+)\))?(!)?: +(\S.*)$/su
const breakingFooter = /^BREAKING[ -]CHANGE: +(\S.*)/m
// A value that begins like a version is one that was meant: whatever else is in that line is a mistake, and is refused as such.
const releaseAsFooter = /^Release-As(?:[ \t]?:|[ \t]#)[ \t]*(v?\d.*|\S+[ \t]*)$/im
const refsFooter = /^Refs?(?:: | #)(.*)$/gim
const gitRevert =
  /^This reverts commit ([0-9a-f]{7,64})(?:, reversing\s{1,2}changes made to ([0-9a-f]{7,64}))?/gm

/**
 * Reads a commit message by Conventional Commits 1.0.0: the header alone decides the type (items 1 to 5; a type in any
 * case, item 15); `!` or an upper-case `BREAKING CHANGE:` or `BREAKING-CHANGE:` at a line's start makes it breaking
 * (items 11 to 13, 16). The body is free text: bullets of a squash are not commits.
 *
 * @param text the whole message; line ends may be LF or CRLF
 * @returns the parsed message; a header that is not a conventional one gives no `type` and is never breaking
 */
export function parseMessage(text: string): Message {
  const message = (text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text).replace(/^\n+/, "")
  const end = message.indexOf("\n")
  const subject = end < 0 ? message : message.slice(0, end)
  const rest = end < 0 ? "" : message.slice(end + 1)
  const releaseAs = releaseAsFooter.exec(rest)?.[1]?.trimEnd()
  const [, type, scope, bang, description] = header.exec(subject) ?? []
  const note = breakingFooter.exec(rest)?.[1]
  const reverting = type?.toLowerCase() === "revert" || /^(Revert|Reapply) "/.test(subject)
  const isConventional = type !== undefined || reverting
  return {
    subject,
    type: reverting ? "revert" : type?.toLowerCase(),
    scope: scope?.trim() || undefined,
    description: description?.trim() ?? subject,
    breaking: isConventional && (bang !== undefined || note !== undefined),
    breakingNote: isConventional ? note : undefined,
    releaseAs,
    reverts: reverting ? revertedBy(rest) : [],
  }
}

/** The commits a revert names: git's own sentence, or the `Refs:` footer of Conventional Commits' FAQ. */
function revertedBy(body: string): Message["reverts"] {
  const own = [...body.matchAll(gitRevert)].map(([, sha = "", since]) => ({ sha, since }))
  if (own.length > 0) return own
  return [...body.matchAll(refsFooter)].flatMap(([, list = ""]) =>
    (list.match(/\b[0-9a-f]{7,64}\b/g) ?? []).map(sha => ({ sha })),
  )
}
