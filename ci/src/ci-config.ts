import { type Directory, dag } from "@dagger.io/dagger"
import { defaultBranch } from "./git/remote-branch.js"
import { UserError } from "./lib/errors.js"
import type { Settings } from "./settings.js"

/** The Dagger CLI that the generated files install, and the SHA-256 of its archives (checksums.txt of that release). */
export const daggerVersion = "0.21.8"
const checksums = {
  amd64: "53e226c7da8fb75171e58c35759d736d961ce8b3a12db0baa7b7107954fccc5a",
  arm64: "cd0df4885f2050082932b4abc5a6aad9a733f6aa4e7d8474740558517ffec4af",
}

/** The supported systems, and the path of each one's file. */
export const ciFiles = {
  github: ".github/workflows/release.yml",
  gitlab: ".gitlab-ci.yml",
  codebuild: "buildspec.yml",
} as const

type System = keyof typeof ciFiles

/** What the file depends on. */
export type CiOptions = {
  /** The address to call the module by, with its version. */
  module: string
  /** The branch whose pushes are released. */
  branch: string
  /** Arguments that the release needs because nothing in the repository sets them, such as `--branch trunk`. */
  given: string[]
  /** Whether the repository has Git LFS files, and submodules: the clone has to bring their content. */
  lfs?: boolean
  submodules?: boolean
}

/** What the clone has to bring besides the repository's own files. */
export async function contentOf(source: Directory): Promise<Pick<CiOptions, "lfs" | "submodules">> {
  const attributes = ".gitattributes"
  const lfs =
    (await source.exists(attributes)) && (await source.file(attributes).contents()).includes("filter=lfs")
  return { lfs, submodules: await source.exists(".gitmodules") }
}

/**
 * The file that releases on a push, for a CI system.
 *
 * @param source the repository, whose own file of that name is not to be replaced
 * @throws UserError for an unknown system, for a module address that is not pinned to a version, and if there is another file
 */
export async function ciConfig(system: string, options: CiOptions, source?: Directory): Promise<Directory> {
  const { path, text } = ciText(system, options)
  if (source && (await source.exists(path)) && (await source.file(path).contents()) !== text) {
    throw new UserError(
      `There is another ${path} in the repository.`,
      "Exporting this one would replace all that is in it.",
      "Merge the two by hand: ci-config … --replace export --path ANOTHER-FOLDER. Or replace it: ci-config … --replace export --path .",
    )
  }
  return dag.directory().withNewFile(path, text)
}

/** The branch that is released: the one that is set, or the remote's default one. If that is not known, `main`, and why is printed. */
export async function releaseBranch(settings: Settings, print: (line: string) => void): Promise<string> {
  if (settings.branch !== "") return settings.branch
  try {
    return await defaultBranch(settings)
  } catch (error) {
    const [why] = (error as Error).message.split("\n", 1)
    print(
      `warning: the remote's default branch is not known, so the file releases main; for another one, pass --branch: ${why}`,
    )
    return "main"
  }
}

/** As {@link ciConfig}: the file's path and text. Pure. */
export function ciText(system: string, options: CiOptions): { path: string; text: string } {
  const { module } = options
  if (!(system in ciFiles)) {
    const known = Object.keys(ciFiles).join(", ")
    throw new UserError(
      `--system does not accept ${JSON.stringify(system.slice(0, 100))}.`,
      "",
      `It must be one of ${known}.`,
    )
  }
  // It becomes part of a script: an address has no spaces, quotes or other shell characters.
  if (!/^[\w./:@+-]+$/.test(module) || !/^(\.|\.\/.*|.*@[\w./+-]+)$/.test(module)) {
    throw new UserError(
      `--module does not accept ${JSON.stringify(module.slice(0, 100))}.`,
      "The code that the file runs must not change by itself.",
      "It must be a module's address with its version, such as github.com/OWNER/ecs-release/ci@v1.2.3",
    )
  }
  const texts: Record<System, typeof github> = { github, gitlab, codebuild }
  return { path: ciFiles[system as System], text: texts[system as System](options) }
}

/** Installs the Dagger CLI after checking its checksum; downloads nothing if it is already installed. */
const install = `dagger version 2>/dev/null | grep -qF "dagger v${daggerVersion} " || {
  case $(uname -m) in
    x86_64) ARCH=amd64 SHA256=${checksums.amd64} ;;
    aarch64) ARCH=arm64 SHA256=${checksums.arm64} ;;
    *) echo "There is no known checksum of the Dagger CLI for $(uname -m)." >&2; exit 1 ;;
  esac
  ARCHIVE=dagger_v${daggerVersion}_linux_$ARCH.tar.gz
  curl -fsSL --retry 3 -o "/tmp/$ARCHIVE" "https://dl.dagger.io/dagger/releases/${daggerVersion}/$ARCHIVE"
  echo "$SHA256  /tmp/$ARCHIVE" | sha256sum -c -
  SUDO=; test -w /usr/local/bin || SUDO=sudo
  $SUDO tar -xzf "/tmp/$ARCHIVE" -C /usr/local/bin dagger
}
dagger version`

/**
 * A script that prints AWS credentials for $AWS_ROLE_ARN in the form of a credential_process, using the job's own identity (STS
 * AssumeRoleWithWebIdentity, which needs no AWS credentials). The module runs it again before they expire.
 *
 * @param token commands that write the job's OIDC token to $work/token
 */
const role = (token: string) => `#!/bin/sh
set -eu
umask 077
: "\${AWS_REGION:?is not set}" "\${AWS_ROLE_ARN:?is not set}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${token}
curl -sS --retry 3 "https://sts.$AWS_REGION.amazonaws.com/" -o "$work/answer" \\
  -d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15 -d RoleSessionName=ecs-release \\
  --data-urlencode "RoleArn=$AWS_ROLE_ARN" --data-urlencode "WebIdentityToken@$work/token"
grep -q "<AccessKeyId>" "$work/answer" || { cat "$work/answer" >&2; exit 1; }
value() { sed -n "s:.*<$1>\\(.*\\)</$1>.*:\\1:p" "$work/answer"; }
printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s","SessionToken":"%s","Expiration":"%s"}\\n' \\
  "$(value AccessKeyId)" "$(value SecretAccessKey)" "$(value SessionToken)" "$(value Expiration)"`

/** A script's lines, indented for a YAML file. */
const indented = (text: string, depth: number) => text.replace(/^(?=.)/gm, " ".repeat(depth))

/** Writes a script to a file, as a step of another script. */
const written = (path: string, script: string) => `cat > "${path}" <<'SCRIPT'
${script}
SCRIPT
chmod 700 "${path}"`

/** The words of the release's call. */
const callOf = ({ given }: CiOptions) => ["call", ...given].join(" ")

function github(options: CiOptions): string {
  const { module, branch, lfs, submodules } = options
  const content = `${lfs ? ", lfs: true" : ""}${submodules ? ", submodules: recursive" : ""}`
  const token = `printf 'Authorization: bearer %s' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
  curl -fsS -H @- -o "$work/identity" "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com"
sed -n 's/.*"value" *: *"\\([^"]*\\)".*/\\1/p' "$work/identity" | tr -d '\\n' > "$work/token"`
  const begin = `      - uses: actions/checkout@v4
        with: { fetch-depth: 0, persist-credentials: false${content} }
      - name: Install Dagger
        run: |
${indented(install, 10)}`
  return `# Releases each push to ${branch}, and tests each pull request. No AWS key is stored: the role trusts workflows on this repository's
# branch (OpenID Connect). Set the repository's variables AWS_REGION and AWS_ROLE_ARN (Settings, Secrets and variables, Actions).
# If a ruleset limits who may create version tags, set the secret RELEASE_TOKEN to a token of someone who may: GitHub's own token may
# not. The module's repository has to be readable from here.
name: release
on:
  push:
    branches: [${JSON.stringify(branch)}]
  pull_request:
permissions: {}
env:
  DO_NOT_TRACK: "1"
jobs:
  test:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    permissions:
      contents: read
    steps:
${begin}
      - name: Test
        run: dagger -m ${module} call test
  release:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    permissions:
      contents: write # to push the version's tag
      id-token: write # to be who the role trusts
    env:
      AWS_REGION: \${{ vars.AWS_REGION }}
      AWS_ROLE_ARN: \${{ vars.AWS_ROLE_ARN }}
    steps:
${begin}
      - name: Sign in to AWS
        run: |
${indented(written("$RUNNER_TEMP/aws-role", role(token)), 10)}
          "$RUNNER_TEMP/aws-role" > /dev/null # or fail here, with AWS's own words
      - name: Release
        env:
          GITHUB_TOKEN: \${{ secrets.RELEASE_TOKEN || github.token }}
        run: >-
          dagger -m ${module} ${callOf(options)} --git-token env://GITHUB_TOKEN
          --aws-credentials "cmd://$RUNNER_TEMP/aws-role" release
`
}

function gitlab(options: CiOptions): string {
  const { module, branch, submodules } = options
  return `# Releases each push to ${branch}, and tests each merge request. No key is stored: the role trusts this project and branch
# (OpenID Connect). Set the CI/CD variables AWS_REGION, AWS_ROLE_ARN, and GIT_PUSH_TOKEN (masked, protected): a project access token
# with the scope write_repository. The runner has to allow privileged containers, for the engine, and to share /certs/client with
# services (volumes = ["/certs/client", "/cache"]). The module's repository has to be readable from here.
variables:
  GIT_DEPTH: "0"${submodules ? "\n  GIT_SUBMODULE_STRATEGY: recursive" : ""}
  DO_NOT_TRACK: "1"
  DOCKER_HOST: tcp://docker:2376
  DOCKER_TLS_CERTDIR: /certs
  DOCKER_TLS_VERIFY: "1"
  DOCKER_CERT_PATH: /certs/client

default:
  image: docker:28-cli
  services: [docker:28-dind]
  before_script:
    - apk add --no-cache curl git
    - |
${indented(install, 6)}

test:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - dagger -m ${module} call test

release:
  rules:
    - if: $CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH == ${JSON.stringify(branch)}
  id_tokens:
    AWS_ID_TOKEN:
      aud: sts.amazonaws.com
  script:
    - |
${indented(written("/tmp/aws-role", role('printf %s "$AWS_ID_TOKEN" > "$work/token"')), 6)}
      /tmp/aws-role > /dev/null # or fail here, with AWS's own words
    - >-
      dagger -m ${module} ${callOf(options)} --git-username oauth2 --git-token env://GIT_PUSH_TOKEN
      --git-remote "$CI_PROJECT_URL.git" --aws-credentials cmd:///tmp/aws-role release
`
}

function codebuild(options: CiOptions): string {
  const { module, branch } = options
  return `# Releases each push to ${branch}. The project needs privileged mode, a full clone (Git clone depth Full), a role that may release,
# and the variable GITHUB_TOKEN from Secrets Manager. Pull requests need a project of their own, with a role that may do nothing and
# without the token: this file comes with the pull request, so anyone who can open one could otherwise read the token and release.
version: 0.2

env:
  variables:
    DO_NOT_TRACK: "1"
  exported-variables:
    - VERSION
    - IMAGE

phases:
  install:
    commands:
      - |
${indented(`(\nset -e\n${install}\n)`, 8)}
  pre_build:
    commands:
      - SUMMARY=$CODEBUILD_SRC_DIR/../release.json && touch "$SUMMARY"
  build:
    commands:
      # The role's credentials, from where AWS renews them.
      - ROLE="cmd://curl -fsS \${AWS_CONTAINER_CREDENTIALS_FULL_URI:-http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}"
      - |
        case \${CODEBUILD_WEBHOOK_EVENT:-} in
          PULL_REQUEST_*) dagger -m ${module} call test ;;
          *)
            dagger -m ${module} ${callOf(options)} --git-token env://GITHUB_TOKEN --aws-credentials "$ROLE" \\
              release --format json > "$SUMMARY" ;;
        esac
  post_build:
    commands:
      - cat "$SUMMARY"
      # Several apps have several versions and images, so then these are empty.
      - ONE='if (.apps | length) > 1 then {} else .apps[0] // . end'
      - export VERSION=$(jq -r "$ONE"' | .version // ""' "$SUMMARY") IMAGE=$(jq -r "$ONE"' | .image.reference // ""' "$SUMMARY")
`
}
