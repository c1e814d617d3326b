import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { ciConfig, ciText, daggerVersion } from "../src/ci-config.js"
import { callsRelease } from "../src/init.js"

const module = "github.com/team/ecs-release/ci@v1.2.3"
const options = { module, branch: "main", given: ['--region "$AWS_REGION"'] }
const token = "eyJ.the-jobs-identity"
const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
const answer = `<AssumeRoleWithWebIdentityResponse>
  <AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>ASIAROLE</AccessKeyId>
    <SecretAccessKey>${secret}</SecretAccessKey>
    <SessionToken>session==</SessionToken>
    <Expiration>2026-01-01T01:00:00Z</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ci-"))
  mkdirSync(join(folder, "bin"))
  mkdirSync(join(folder, "src"))
  tool(
    "dagger",
    `case "$1" in version) echo "dagger v${daggerVersion} (x)"; exit ;; esac
for word; do case $word in cmd://*) sh -c "\${word#cmd://}" > "${folder}/credentials" || exit 8 ;; esac; done
printf '%s\\n' "$*" >> "${folder}/calls"
echo '{"version": "1.3.0", "image": {"reference": "r/hello@sha256:a"}}'`,
  )
  // Answers GitHub's and AWS's endpoints, and notes what it was called with.
  tool(
    "curl",
    `printf '%s\\n' "$*" >> "${folder}/asked"
for word; do case $word in @-) cat >> "${folder}/headers" ;; *@/*) cat "\${word#*@}" >> "${folder}/sent" ;; esac; done
case "$*" in *audience*) body='{"count":1,"value":"${token}"}' ;; *sts.*) body='${answer}' ;; *169.254*|*credentials*) body='{"AccessKeyId":"ASIAROLE"}' ;; *) body=archive ;; esac
while test $# -gt 0; do test "$1" = -o && out=$2; shift; done
if test "\${out:-}"; then printf '%s' "$body" > "$out"; else printf '%s' "$body"; fi`,
  )
  tool("jq", `printf '%s\\n' "$2" >> "${folder}/programs"; test -s "$3" && echo 1.3.0`)
  tool("apk", "true")
})
afterEach(() => rmSync(folder, { recursive: true }))

function tool(name: string, script: string): void {
  writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, "bin", name), 0o755)
}

const read = (name: string) => readFileSync(join(folder, name), "utf8")

/** Runs steps one after another, each in a shell of its own unless they share one. */
function run(shell: string[], steps: string[], env: Record<string, string>): string {
  const [command = "sh", ...flags] = shell
  const all = { PATH: `${join(folder, "bin")}:${process.env.PATH}`, AWS_REGION: "eu-north-1", ...env }
  return steps
    .map(step => execFileSync(command, [...flags, step], { cwd: folder, env: all, encoding: "utf8" }))
    .join("")
}

/** The role's credentials came by the job's identity, and neither was in an argument. */
function expectSignedIn(): void {
  expect(JSON.parse(read("credentials"))).toEqual({
    ...{ Version: 1, AccessKeyId: "ASIAROLE", SecretAccessKey: secret, SessionToken: "session==" },
    Expiration: "2026-01-01T01:00:00Z",
  })
  // Once to see that it works, and once more by the module.
  expect(read("sent")).toBe(token + token)
  expect(read("asked")).toContain("RoleArn=arn:aws:iam::111122223333:role/release")
  expect(read("asked") + read("calls")).not.toMatch(/eyJ|wJalr|bearer|ghs_/)
}

describe("GitHub Actions", () => {
  const { path, text } = ciText("github", options)
  const workflow = parse(text)
  const steps = (job: string): string[] =>
    workflow.jobs[job].steps.flatMap((it: { run?: string }) => it.run ?? [])
  const env = {
    AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/release",
    ACTIONS_ID_TOKEN_REQUEST_URL: "https://token.example/x?y=1",
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer-token",
    GITHUB_TOKEN: "ghs_token",
  }

  it("releases a push by the job's identity", () => {
    expect(path).toBe(".github/workflows/release.yml")
    expect(workflow.on.push.branches).toEqual(["main"])
    expect(workflow.jobs.release.permissions).toEqual({ contents: "write", "id-token": "write" })
    run(["bash", "-e", "-c"], steps("release"), { ...env, RUNNER_TEMP: folder })
    expect(read("calls")).toBe(
      `-m ${module} call --region eu-north-1 --git-token env://GITHUB_TOKEN --aws-credentials cmd://${folder}/aws-role release\n`,
    )
    expectSignedIn()
    expect(read("headers")).toBe("Authorization: bearer bearer-token".repeat(2))
    expect(read("asked")).toContain("audience=sts.amazonaws.com")
  })

  it("fails when it signs in, with AWS's own words, if the role does not trust it", () => {
    tool(
      "curl",
      `case "$*" in *audience*) body='{"value":"x"}' ;; *) body='<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>' ;; esac
while test $# -gt 0; do test "$1" = -o && out=$2; shift; done; printf '%s' "$body" > "$out"`,
    )
    const call = () => run(["bash", "-e", "-c"], steps("release"), { ...env, RUNNER_TEMP: folder })
    expect(call).toThrow(/Not authorized to perform sts:AssumeRoleWithWebIdentity/)
    expect(() => read("calls")).toThrow()
  })

  it("tests a pull request, with read permission only", () => {
    expect([workflow.permissions, workflow.jobs.test.permissions]).toEqual([{}, { contents: "read" }])
    run(["bash", "-e", "-c"], steps("test"), {})
    expect(read("calls")).toBe(`-m ${module} call test\n`)
  })
})

describe("GitLab CI", () => {
  const pipeline = parse(ciText("gitlab", { ...options, branch: "trunk" }).text)

  it("releases a push by the job's identity", () => {
    const script = [...pipeline.default.before_script, ...pipeline.release.script].join("\n")
    const env = {
      AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/release",
      AWS_ID_TOKEN: token,
      CI_PROJECT_URL: "https://gitlab.example/team/app",
    }
    const here = script.replaceAll("/tmp/aws-role", join(folder, "aws-role"))
    run(["sh", "-e", "-c"], [here], env)
    expect(read("calls")).toMatch(
      /--git-username oauth2 .*--git-remote https:\/\/gitlab\.example\/team\/app\.git /,
    )
    expectSignedIn()
    expect(pipeline.release.rules).toEqual([
      { if: '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == "trunk"' },
    ])
  })

  it("tests a merge request", () => {
    run(["sh", "-e", "-c"], [[...pipeline.default.before_script, ...pipeline.test.script].join("\n")], {})
    expect(read("calls")).toBe(`-m ${module} call test\n`)
  })
})

describe("AWS CodeBuild", () => {
  const { phases } = parse(ciText("codebuild", options).text)
  const script = ["install", "pre_build", "build", "post_build"]
    .flatMap(phase => phases[phase].commands)
    .join("\n")
  const env = {
    CODEBUILD_SRC_DIR: "",
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/1",
    GITHUB_TOKEN: "ghs_token",
  }

  it("releases a push with the role's credentials, and exports what was released", () => {
    const said = run(["sh", "-c"], [`${script}\necho "$VERSION"`], {
      ...env,
      CODEBUILD_SRC_DIR: join(folder, "src"),
    })
    expect(read("calls")).toMatch(
      /--aws-credentials cmd:\/\/curl -fsS http:\/\/169\.254\.170\.2\/v2\/credentials\/1 release --format json/,
    )
    expect(read("credentials")).toContain("ASIAROLE")
    expect(said).toMatch(/1\.3\.0\n$/)
    const one = "if (.apps | length) > 1 then {} else .apps[0] // . end"
    expect(read("programs")).toBe(`${one} | .version // ""\n${one} | .image.reference // ""\n`)
  })

  it("tests a pull request", () => {
    const event = { CODEBUILD_WEBHOOK_EVENT: "PULL_REQUEST_CREATED", CODEBUILD_SRC_DIR: join(folder, "src") }
    run(["sh", "-c"], [script], { ...env, ...event })
    expect(read("calls")).toBe(`-m ${module} call test\n`)
  })
})

it("an installed CLI of another version is replaced only by an archive with the known checksum", () => {
  tool("dagger", "echo dagger v0.1.0")
  const steps = parse(ciText("github", options).text).jobs.test.steps
  const [install = ""] = steps.flatMap((it: { run?: string }) => it.run ?? [])
  expect(() => run(["bash", "-e", "-c"], [install], {})).toThrow()
  expect(read("asked")).toContain(
    `https://dl.dagger.io/dagger/releases/${daggerVersion}/dagger_v${daggerVersion}_linux_`,
  )
})

it("this repository's own buildspec has the same CLI", () => {
  const own = readFileSync(join(import.meta.dirname, "../../buildspec.yml"), "utf8")
  const { text } = ciText("codebuild", options)
  expect(own).toContain(`DAGGER_VERSION: "${daggerVersion}"`)
  for (const [sum] of text.matchAll(/[0-9a-f]{64}/g)) expect(own).toContain(sum)
})

it.each([
  ["jenkins", module, /--system does not accept "jenkins".*\n→ It must be one of github, gitlab, codebuild/s],
  ["github", "github.com/team/ecs-release/ci", /--module does not accept.*with its version/s],
  ["github", 'x@v1" && evil', /--module does not accept/],
])("%s with %s is refused", (system, address, message) => {
  expect(() => ciText(system, { ...options, module: address })).toThrow(message)
})

describe("a file that is there already", () => {
  const source = (text: string) =>
    ({ exists: async () => true, file: () => ({ contents: async () => text }) }) as never

  it("is not replaced", async () => {
    await expect(ciConfig("gitlab", options, source("stages: [build]\n"))).rejects.toThrow(
      /^There is another \.gitlab-ci\.yml[\s\S]*→ .*--replace export --path \.$/,
    )
  })

  it.each(["github", "gitlab", "codebuild"])("is known to start a release: %s", system =>
    expect(callsRelease(ciText(system, options).text)).toBe(true),
  )

  it.each([
    "run: cargo build --release",
    "stages: [build, release]",
    "run: dagger call test\n# see release notes",
    "- run: dagger call test\n- run: npm run release",
    `call docker run ${"--flag x \\\n".repeat(50)}`,
  ])("does not start one: %j", text => expect(callsRelease(text)).toBe(false))
})

it("fetches Git LFS files and submodules if the repository has them", () => {
  const more = { ...options, lfs: true, submodules: true }
  const jobs = parse(ciText("github", more).text).jobs as { [job: string]: { steps: { with?: object }[] } }
  for (const { steps } of Object.values(jobs))
    expect(steps[0]?.with).toMatchObject({ lfs: true, submodules: "recursive" })
  expect(parse(ciText("gitlab", more).text).variables).toMatchObject({ GIT_SUBMODULE_STRATEGY: "recursive" })
  expect(ciText("github", options).text).not.toMatch(/lfs|submodules/)
})
