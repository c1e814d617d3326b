import type { Secret, Service } from "@dagger.io/dagger"
import type { ContainerShell } from "./git.js"
import { present } from "./secret.js"

/** The repository's remote as the pipeline reaches it. */
export type Remote = { url: string; username: string; token?: Secret; service?: Service }

/**
 * The URL by which the pipeline reaches a remote. An SSH address of a hosting service becomes the HTTPS address of the same
 * repository, since a token opens that one; a name and password in the URL are dropped.
 *
 * @param address a URL or git's short SSH form (`git@github.com:owner/name.git`)
 * @param endpoint the URL of a server that stands for the remote's host; the address then gives the path alone
 * @returns the URL, or undefined where the address can't be reached from a container: a local path or `file://`
 */
export function remoteUrl(address: string, endpoint?: string): string | undefined {
  const scp = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(address)
  const text = scp ? `ssh://${scp[1]}/${scp[2]}` : address
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (endpoint !== undefined) return new URL(url?.pathname ?? address, endpoint).href
  if (url?.protocol === "ssh:" || url?.protocol === "git+ssh:")
    return `https://${url.hostname}${url.pathname}`
  if (url?.protocol !== "https:" && url?.protocol !== "http:") return undefined
  url.username = ""
  url.password = ""
  return url.href
}

/**
 * Finds the way to the remote.
 *
 * @returns undefined where there is none that a container can reach
 */
export async function findRemote(at: {
  /** The remote's address, usually that of `origin`; "" where there is none. */
  address: string
  username: string
  token?: Secret
  endpoint?: Service
}): Promise<Remote | undefined> {
  await at.endpoint?.start()
  const url = remoteUrl(at.address, await at.endpoint?.endpoint({ scheme: "http" }))
  if (url === undefined) return undefined
  return { url, username: at.username, token: await present(at.token, "git-token"), service: at.endpoint }
}

/** Opens the way to the remote in a shell. */
export function openWay(shell: ContainerShell, { username, token, service }: Remote): void {
  let container = shell.container.withEnvVariable("GIT_USERNAME", username)
  if (token) container = container.withSecretVariable("GIT_TOKEN", token)
  if (service) container = container.withServiceBinding("git-remote", service)
  shell.container = container
  shell.live = true
}
