import { printable } from "./text.js"

/**
 * An error that the reader can do something about. The message says, each on its own line: what happened, why, and what to do next
 * (marked with an arrow). The Dagger CLI prints it without a stack trace and exits with 1.
 */
export class UserError extends Error {
  /**
   * @param what what happened, in one sentence
   * @param why the reason, if it adds something
   * @param remedy the next step: a command, a setting, a place to look
   */
  constructor(what: string, why = "", remedy = "") {
    super(printable([what, why, remedy && `→ ${remedy}`].filter(Boolean).join("\n")))
    this.name = "UserError"
  }
}
