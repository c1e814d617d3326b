import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, onTestFinished } from "vitest"
import type { WebhookEvent } from "../buildspec/event.js"
import { buildLog } from "../buildspec/log.js"
import type { Project } from "../buildspec/project.js"
import { type BuildResult, runBuild } from "../buildspec/run.js"

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
  variables: [{ name: "GITHUB_TOKEN", type: "SECRETS_MANAGER", value: "hello/git-token" }],
  filterGroups: [],
}

/** A docker that has a daemon where DOCKER_HOST says so. */
const DOCKER = `#!/bin/sh
[ "$DOCKER_HOST" = unix:///there ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
echo "Docker 20.10"
`

/** What a build of a commit with these files gives: its result, its log, and its output folder. */
export async function buildOf(
  files: Record<string, string>,
  options: {
    project?: Partial<Project>
    event?: Partial<WebhookEvent>
    dagger?: string
    secrets?: Record<string, string>
    signal?: AbortSignal
  } = {},
): Promise<BuildResult & { log: string; output: string }> {
  const folder = temporary()
  const [repository, checkout, output] = ["repository", "checkout", "output"].map(name =>
    join(folder, name),
  ) as [string, string, string]
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
  const secret = {
    role: "arn:aws:iam::111122223333:role/hello",
    id: "ASIAROLE",
    secret: "very-secret",
    token: "role-token",
    until: Date.UTC(2030, 0, 1),
  }
  let log = ""
  const result = await runBuild({
    checkout,
    sandbox: {
      docker: { cli: join(checkout, "docker"), host: "unix:///there" },
      endpoints: { awsPort: 1111, gitPort: 2222 },
      accountId: "111122223333",
      region: "eu-north-1",
      appUrl: "http://127.0.0.1:3333",
      repository: { url: `file://${repository}`, token: "clone-token" },
      role: secret,
      powerless: { ...secret, id: "ASIANORIGHTS" },
      secrets: options.secrets ?? { "hello/git-token": "ghs_token" },
    },
    project: { ...PROJECT, ...options.project },
    event: {
      type: "PUSH",
      headRef: "refs/heads/main",
      commit: git(repository, "rev-parse", "HEAD"),
      ...options.event,
    },
    number: 7,
    output,
    log: buildLog(text => {
      log += text
    }),
    signal: options.signal ?? new AbortController().signal,
  })
  return { ...result, log, output }
}

/** The states of the phases that ran, as `INSTALL SUCCEEDED`. */
export function states({ phases }: BuildResult): string[] {
  return phases.map(({ name, state }) => `${name} ${state}`)
}

/** The project's own buildspec. */
export const BUILDSPEC = readFileSync(join(import.meta.dirname, "../../buildspec.yml"), "utf8")
