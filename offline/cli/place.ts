import { fileURLToPath } from "node:url"
import { checkoutHome } from "../machine/home.js"

/** The checkout's folder. */
export const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
/** Where this checkout keeps what it makes offline: emulator, git remote, sessions' contents, modules' types. */
export const STATE_DIR = checkoutHome(CHECKOUT)
