import { expect, test } from "vitest"
import { BUILDSPEC, buildOf, PROJECT, states } from "./codebuild.help.js"

const COMMIT = { "buildspec.yml": BUILDSPEC }
const REPORT = "<testsuite><testcase name='greets'/></testsuite>"

/** A Dagger CLI that says what it was called with, and which secrets it would find. */
const dagger = (version: string, release = "true") => `#!/bin/sh
case "$*" in
  version) echo "dagger ${version} (a stand-in)" ;;
  *test-report*) mkdir -p reports && echo "${REPORT}" > reports/unittest.xml ;;
  *"release --format json")
    for word; do case $word in cmd://*) role=$(sh -c "\${word#cmd://}") ;; esac; done
    case "$role $GITHUB_TOKEN" in *ASIAROLE*very-secret*role-token*" ghs_token") ;; *) exit 9 ;; esac
    echo "CALLED $*" >&2
    ${release} || exit 1
    echo '{"version": "1.2.3", "image": {"reference": "registry/hello@sha256:abc"}}' ;;
  *) echo "CALLED $* with token \${GITHUB_TOKEN:-none}, key \${AWS_ACCESS_KEY_ID:-none}" ;;
esac
`
const pinned = dagger("v0.21.8")

test("a push releases, with the role's credentials and the token, and exports version and image", async () => {
  const built = await buildOf(COMMIT, { dagger: pinned })
  expect(built.state).toBe("SUCCEEDED")
  expect(built.log).toMatch(
    /CALLED call --aws-endpoint=\S+ --git-endpoint=\S+ --aws-credentials cmd:\/\/curl -fsS http\S+ release --format json/,
  )
  expect(built.exported).toEqual({ VERSION: "1.2.3", IMAGE: "registry/hello@sha256:abc" })
  expect(built.reports).toEqual({ unittest: "1 test cases: 1 succeeded, 0 failed, 0 in error, 0 skipped" })
  for (const secret of ["very-secret", "role-token", "ghs_token", "ASIAROLE"])
    expect(built.log).not.toContain(secret)
})

test("a pull request is tested and no more, without the token", async () => {
  const event = { type: "PULL_REQUEST_CREATED" as const, headRef: "refs/heads/x", baseRef: "refs/heads/main" }
  const built = await buildOf(COMMIT, {
    dagger: pinned,
    event,
    project: { name: "hello-pull-request", variables: [] },
  })
  expect(built.state).toBe("SUCCEEDED")
  expect(built.log).toMatch(/CALLED call --aws\S+ --git\S+ test with token none, key none/)
  expect(built.log).not.toMatch(/CALLED .* release/)
  expect(built.exported).toEqual({})
})

test("a release that fails fails the build, and the tests are reported", async () => {
  const built = await buildOf(COMMIT, { dagger: dagger("v0.21.8", "false") })
  expect(states(built).slice(-3)).toEqual([
    "BUILD FAILED",
    "POST_BUILD SUCCEEDED",
    "UPLOAD_ARTIFACTS SUCCEEDED",
  ])
  expect(built.reports).toHaveProperty("unittest")
  expect(built.exported).toEqual({})
})

test("without privileged mode it stops at once and says what to set", async () => {
  const built = await buildOf(COMMIT, { dagger: pinned, project: { privileged: false } })
  expect(states(built).slice(-1)).toEqual(["INSTALL FAILED"])
  expect(built.log).toContain("Give the CodeBuild project privileged mode")
})

test("a shallow clone stops it before Dagger is called", async () => {
  const built = await buildOf(COMMIT, { dagger: pinned, project: { cloneDepth: 1 } })
  expect(states(built).slice(-1)).toEqual(["PRE_BUILD FAILED"])
  expect(built.log).toContain("Git clone depth to Full")
  expect(built.log).not.toContain("CALLED")
})

test("another version of Dagger is replaced, and an archive with another checksum is not unpacked", async () => {
  const forged = BUILDSPEC.replace("curl -fsSL --retry 3", "fake_curl")
  const spec = forged.replace(
    "          ARCHIVE=",
    `          fake_curl() { echo forged > "$2"; echo "ASKED $3"; }\n          ARCHIVE=`,
  )
  const built = await buildOf({ "buildspec.yml": spec }, { dagger: dagger("v0.20.0"), project: PROJECT })
  expect(built.log).toMatch(
    /ASKED https:\/\/dl\.dagger\.io\/dagger\/releases\/0\.21\.8\/dagger_v0\.21\.8_linux_(amd64|arm64)\.tar\.gz/,
  )
  expect(built.log).toContain("FAILED")
  expect(states(built).slice(-1)).toEqual(["INSTALL FAILED"])
  expect(built.log).not.toContain("CALLED")
})
