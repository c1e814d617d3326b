/** What the module's process writes after each call to standard output and standard error: all that the call printed came before. */
export const END = "\0end\n"
