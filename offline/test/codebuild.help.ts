import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, onTestFinished } from "vitest"
import { type BuildResult, runBuild } from "../buildspec/build.js"
import type { WebhookEvent } from "../buildspec/event.js"
import { buildLog } from "../buildspec/log.js"
import type { Project } from "../buildspec/project.js"

/** A folder for one test. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "codebuild-test-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A folder for all tests of a file. */
export function temporaryForAll(): string {
  const folder = mkdtempSync(join(tmpdir(), "codebuild-test-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes files, by path; those that begin with `#!` can be run. */
export function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
    if (text.startsWith("#!")) chmodSync(join(folder, path), 0o755)
  }
}

export function git(folder: string, ...args: string[]): string {
  const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
  return execFileSync("git", [...who, "-C", folder, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim()
}

export const PROJECT: Project = {
  name: "hello",
  buildspec: "buildspec.yml",
  image: "aws/codebuild/standard:7.0",
  privileged: true,
  cloneDepth: 0,
  timeoutMinutes: 1,
  variables: [{ name: "GITHUB_TOKEN", secret: true, value: "hello/git-token" }],
  filterGroups: [],
}

/** A docker that has a daemon if DOCKER_HOST says so. */
const DOCKER = `#!/bin/sh
[ "$DOCKER_HOST" = unix:///there ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
echo "Docker 20.10"
`

/** What a build of a commit with these files gives: its result and its log. */
export async function buildOf(
  files: Record<string, string>,
  options: {
    project?: Partial<Project>
    event?: Partial<WebhookEvent>
    dagger?: string
    secrets?: Record<string, string>
    signal?: AbortSignal
  } = {},
): Promise<BuildResult & { log: string }> {
  const folder = temporary()
  const [repository, checkout] = [join(folder, "repository"), join(folder, "checkout")]
  write(repository, files)
  git(repository, "init", "--quiet")
  for (const message of ["feat: first", "feat: second"]) {
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message)
  }
  write(checkout, {
    "offline/dagger": options.dagger ?? "#!/bin/sh\necho dagger $*\n",
    "node_modules/.keep": "",
    docker: DOCKER,
  })
  const env = {
    AWS_ACCESS_KEY_ID: "ASIAROLE",
    AWS_SECRET_ACCESS_KEY: "very-secret",
    AWS_SESSION_TOKEN: "role-token",
    AWS_REGION: "eu-north-1",
  }
  let log = ""
  const result = await runBuild({
    checkout,
    world: {
      docker: { cli: join(checkout, "docker"), host: "unix:///there" },
      emulator: {
        port: 1111,
        region: "eu-north-1",
        accountId: "111122223333",
        appUrl: "http://127.0.0.1:3333",
        env,
      },
      git: { port: 2222, path: "/hello.git", url: "http://127.0.0.1:2222/hello.git", token: "clone-token" },
      env: {},
    },
    repository: { url: `file://${repository}`, token: "clone-token" },
    secrets: options.secrets ?? { "hello/git-token": "ghs_token" },
    project: { ...PROJECT, ...options.project },
    event: {
      type: "PUSH",
      headRef: "refs/heads/main",
      commit: git(repository, "rev-parse", "HEAD"),
      ...options.event,
    },
    log: buildLog(text => {
      log += text
    }),
    signal: options.signal ?? new AbortController().signal,
  })
  return { ...result, log }
}

/** The states of the phases that ran, as `INSTALL SUCCEEDED`. */
export function states({ phases }: BuildResult): string[] {
  return phases.map(({ name, state }) => `${name} ${state}`)
}

/** The project's own buildspec. */
export const BUILDSPEC = readFileSync(join(import.meta.dirname, "../../buildspec.yml"), "utf8")
