import { dag, type Secret, type Service } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"
import { plaintext } from "../lib/secret.js"
import type { Way } from "./shell.js"

/** The repository's remote as the pipeline reaches it. */
export type Remote = {
  url: string
  way: Way /** There is a token, or a service that stands in for the host. */
  trusted: boolean
}

/**
 * The URL by which the pipeline reaches a remote. The SSH address of a hosting service becomes the HTTPS address of the same
 * repository, because a token works there; a name, a password and a query in the URL are dropped.
 *
 * @param address a URL or git's short SSH form (`git@github.com:owner/name.git`)
 * @param endpoint the URL of a server to use instead of the remote's host; then only the path of the address counts
 * @returns the URL, or undefined if the address can't be reached from a container: a local path or `file://`
 */
export function remoteUrl(address: string, endpoint?: string): string | undefined {
  const text = codeCommit(address) ?? scpAsUrl(address) ?? address
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (endpoint !== undefined) {
    const at = new URL(endpoint)
    at.pathname = (url?.pathname ?? address).replace(/^\/*/, "/")
    return at.href
  }
  if (url?.protocol === "ssh:" || url?.protocol === "git+ssh:") return httpsOf(url)
  if (url?.protocol !== "https:" && url?.protocol !== "http:") return undefined
  return `${url.origin}${url.pathname}`
}

/** git's short SSH form as a URL: `user@host:path`, or `[user@host:port]:path`. A one-letter host is a Windows drive. */
function scpAsUrl(address: string): string | undefined {
  const [, bracketed, plain, path = ""] =
    /^(?:\[(?:[^@/\s]+@)?([^/\s\]]+)\]|(?:[^@/\s]+@)?([^:/\s[\]]{2,})):(?!\/\/)(.+)$/.exec(address) ?? []
  const host = bracketed ?? plain
  return host && `ssh://${host}/${path.replace(/^\/+/, "")}`
}

/** An address of git-remote-codecommit, `codecommit::REGION://[PROFILE@]NAME`, as AWS CodeCommit's HTTPS address. */
function codeCommit(address: string): string | undefined {
  const [, region, name] = /^codecommit::([a-z0-9-]+):\/\/(?:[^@/]+@)?([\w.-]+)$/.exec(address) ?? []
  const domain = region?.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
  return region && `https://git-codecommit.${region}.${domain}/v1/repos/${name}`
}

/** Hosts that serve SSH under another name than HTTPS: GitHub's, GitLab's and Bitbucket's for networks that let only port 443 out. */
const httpsHosts: Record<string, string> = {
  "ssh.github.com": "github.com",
  "altssh.gitlab.com": "gitlab.com",
  "altssh.bitbucket.org": "bitbucket.org",
}

function httpsOf({ hostname, port, pathname }: URL): string {
  const [, project, name] = /^\/v3\/([^/]+\/[^/]+)\/([^/]+)$/.exec(pathname) ?? []
  if (hostname === "ssh.dev.azure.com" && project) return `https://dev.azure.com/${project}/_git/${name}`
  // The SSH port of Bitbucket Data Center, whose HTTPS addresses begin with /scm.
  const path = port === "7999" ? `/scm${pathname}` : pathname
  return `https://${httpsHosts[hostname] ?? hostname}${path}`
}

/**
 * Finds the way to the remote.
 *
 * @returns undefined if there is none that a container can reach
 * @throws UserError if a token would be sent over plain HTTP
 */
export async function findRemote(at: {
  /** The remote's address, usually that of `origin`; "" if there is none. */
  address: string
  username: string
  token?: Secret
  endpoint?: Service
}): Promise<Remote | undefined> {
  const { username, endpoint: service } = at
  await service?.start()
  const url = remoteUrl(at.address, await service?.endpoint({ scheme: "http" }))
  if (url === undefined) return undefined
  const token = await plaintext(at.token)
  if (token !== undefined && !service) refusePlainHttp(url)
  const environment = { GIT_USERNAME: username, GIT_TOKEN_FOR: new URL(url).origin, REMOTE_URL: url }
  const secrets = token === undefined ? {} : secretsOf(token, username)
  return {
    url,
    way: { service, environment, secrets },
    trusted: token !== undefined || service !== undefined,
  }
}

/** A token is for its host over HTTPS, or for a service that the caller named. */
export function refusePlainHttp(url: string): void {
  if (!url.startsWith("http:")) return
  throw new UserError(
    `The git token is not sent to ${url}: plain HTTP would expose it on the network.`,
    "",
    "Pass the remote's HTTPS address with --git-remote. For a server on this machine: --git-endpoint tcp://HOST:PORT",
  )
}

/** The token, and as separate secrets the forms in which a server may echo it: the engine masks all of them in the output. */
function secretsOf(token: string, username: string): Way["secrets"] {
  const forms = echoes(token, username).map((form, i): [string, string] => [`GIT_TOKEN_FORM_${i + 1}`, form])
  return Object.fromEntries(
    [["GIT_TOKEN", token] as const, ...forms].map(([name, value]) => [
      name,
      dag.setSecret(name.toLowerCase().replaceAll("_", "-"), value),
    ]),
  )
}

/** The token encoded for a URL, in Base64 alone and in Base64 as HTTP Basic authentication sends it (RFC 7617). */
export function echoes(token: string, username: string): string[] {
  const encoded = [token, `${username}:${token}`].flatMap(text => {
    const bytes = Buffer.from(text)
    return [bytes.toString("base64").replace(/=+$/, ""), bytes.toString("base64url")]
  })
  const percent = [encodeURIComponent(token), ...encoded.map(encodeURIComponent)]
  const lower = percent.map(text => text.replace(/%../g, it => it.toLowerCase()))
  const forms = [...percent, ...lower, ...encoded]
  return [...new Set(forms)].filter(form => form !== token)
}
