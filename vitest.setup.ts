import { endServing } from "./offline/cli/sockets.mjs"

/** The processes that served the tests' calls end with the tests. */
export const teardown = () => endServing()
