/** An error of whoever wrote the buildspec or typed the command: a message for them, without a stack. */
export class BuildError extends Error {}
