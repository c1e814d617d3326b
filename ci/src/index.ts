/**
 * From a commit on main to a running Amazon ECS service.
 *
 * Versions (Major.Minor.Patch) come from the git history by Conventional Commits, images go to Amazon ECR under immutable
 * tags, and a deployment is followed to its end. Every step can be called on its own and repeated safely.
 */
import {
  type Container,
  check,
  type Directory,
  dag,
  type File,
  func,
  object,
  type Secret,
  type Service,
  type Socket,
  type Workspace,
} from "@dagger.io/dagger"
import { announced } from "./announce.js"
import { answer } from "./approval.js"
import { defaultSbomImage } from "./attestation/sbom.js"
import { parseRequire } from "./attestation/verify.js"
import { openAws } from "./aws/account.js"
import { changelog, changelogOf, releasesSince, siteOf } from "./changelog.js"
import { updateChangelog } from "./changelog-file.js"
import { ciConfig, ciText, contentOf, releaseBranch } from "./ci-config.js"
import { type App, appsOf, eachApp, severalApps } from "./config.js"
import { dashboard } from "./dashboard.js"
import { outcomeOf } from "./ecs/result.js"
import { rolledBackError, wasRolledBack } from "./ecs/rolled-back.js"
import { openCheckout } from "./git/checkout.js"
import { defaultGitImage } from "./git/repository.js"
import { history } from "./history.js"
import { buildImage, buildTarget, contextOf, runTests, unreleasedVersion } from "./image/build.js"
import { refuseChanges } from "./image/context.js"
import { init } from "./init.js"
import { UserError } from "./lib/errors.js"
import { parseFormat, write, writeApps } from "./lib/output.js"
import { StepTimer } from "./lib/steps.js"
import { printable } from "./lib/text.js"
import { parseTime } from "./lib/time.js"
import { up } from "./lib/up.js"
import { readLogs } from "./logs.js"
import { counted } from "./metrics/measure.js"
import { metrics, metricsEmf, metricsTable, parseWindow } from "./metrics.js"
import { outlook, plan, planTable } from "./plan.js"
import { promote } from "./promote.js"
import { requireProof } from "./proof.js"
import { pushRelease } from "./push.js"
import { release } from "./release.js"
import { appsTable, releaseApps } from "./release-apps.js"
import { resolveImage } from "./resolve-image.js"
import { restart } from "./restart.js"
import type { RollbackOptions } from "./rollback.js"
import { runTask } from "./run.js"
import { readSbom } from "./sbom.js"
import { scale } from "./scale.js"
import { deploySet, onEach, rollbackSet, serviceEnd } from "./service-set.js"
import { required, type Settings, servicesOf, sourceOf } from "./settings.js"
import {
  assertFirst,
  firstStage,
  picture,
  type Stage,
  stageBefore,
  stageFacts,
  stageNamed,
  unclear,
} from "./stages.js"
import { status } from "./status.js"
import { type CallOptions, isInside, notInside, validate } from "./validate.js"
import { writeChecks } from "./verify/check.js"
import { verify } from "./verify.js"
import { computeVersion, nothingToDo, offBranch } from "./version/compute.js"

const print = (line: string) => console.log(printable(line))

@object()
export class EcsRelease {
  source?: Directory
  gitDir?: Directory
  path!: string
  tagPrefix!: string
  branch!: string
  gitRemote!: string
  gitUsername!: string
  gitToken?: Secret
  gitEndpoint?: Service
  gitApi!: string
  gitImage!: string
  context!: string
  dockerfile!: string
  testTarget!: string
  reportTarget!: string
  reportPath!: string
  runtimeTarget!: string
  platform!: string
  compression!: string
  sbomImage!: string
  signingKey!: string
  buildArgs!: string[]
  buildSecret!: Secret[]
  buildSecretId!: string[]
  ssh?: Socket
  stage!: string
  account!: string
  region!: string
  repository!: string
  cluster!: string
  service!: string
  container!: string
  template!: string
  approval!: string
  url!: string
  notify!: string
  webhook?: Secret
  webhookSecret?: Secret
  awsCredentials?: Secret
  awsAccessKeyId?: Secret
  awsSecretAccessKey?: Secret
  awsSessionToken?: Secret
  roleArn!: string
  awsEndpoint?: Service
  app!: string

  constructor(
    /** The repository, with its .git (by default, the one that the call is made in) */
    source?: Directory,
    /** The git directory, for a linked work tree or a submodule, whose .git is a file */
    gitDir?: Directory,
    /** Count only commits that touch one of these paths of the repository; several with commas */
    path = "",
    /** What comes before the v of a version tag, such as api/ for api/v1.2.3 */
    tagPrefix = "",
    /** Branch to release from: only commits on this branch of the remote can be released (by default, the remote's default branch) */
    branch = "",
    /** HTTPS address of the remote to claim versions on (by default, the source's origin) */
    gitRemote = "",
    /** User name that goes with the token (oauth2 for GitLab, x-token-auth for Bitbucket) */
    gitUsername = "x-access-token",
    /** Token that may push tags to the remote; it is sent only to the remote's host, over HTTPS */
    gitToken?: Secret,
    /** Service to use instead of the remote's host, over plain HTTP, such as tcp://127.0.0.1:9418 */
    gitEndpoint?: Service,
    /** Address of the Git host's API, for --publish, if it is not the usual one: https://HOST/api/v3 for GitHub, https://HOST/api/v4 for GitLab */
    gitApi = "",
    /** Image to run git in: it needs git 2.30 or later, a POSIX shell, and BusyBox or GNU tools */
    gitImage = defaultGitImage,
    /** Folder of the repository to build in */
    context = ".",
    /** Path of the Dockerfile in that folder */
    dockerfile = "Dockerfile",
    /** Stage of the Dockerfile that runs the tests (empty for no tests) */
    testTarget = "test",
    /** Stage of the Dockerfile that keeps the test reports and does not fail if the tests do */
    reportTarget = "report",
    /** Folder in that stage that holds the reports */
    reportPath = "/reports",
    /** Stage of the Dockerfile that is released (empty for the last one) */
    runtimeTarget = "runtime",
    /** Platform to build for, such as linux/arm64, or several for one image: linux/amd64,linux/arm64 */
    platform = "linux/amd64",
    /** Compression of the image's layers: zstd (starts faster on AWS Fargate) or gzip (by default, layers stay as they were built) */
    compression = "",
    /** Image of Syft, which makes the SBOM of each pushed image ("none" for no SBOM) */
    sbomImage = defaultSbomImage,
    /** Key that signs pushed images, as cosign names it: awskms:///alias/NAME; or the ARN of the AWS Signer profile that ECR signs with (by default, images are not signed) */
    signingKey = "",
    /** Build arguments, each KEY=VALUE (in .env as '["KEY=VALUE"]'); VERSION is passed too, unless it is set here or a FROM uses it */
    buildArgs: string[] = [],
    /** Secrets for RUN --mount=type=secret: env://NPM_TOKEN gets the ID NPM_TOKEN, file://dir/npmrc the ID npmrc (allowed in .env since Dagger 0.20.4) */
    buildSecret: Secret[] = [],
    /** IDs of the build secrets, in the same order; required for other sources, such as cmd:// and op:// */
    buildSecretId: string[] = [],
    /** Socket of an SSH agent for RUN --mount=type=ssh, such as $SSH_AUTH_SOCK */
    ssh?: Socket,
    /** Stage of ecs-release.yaml to work on (by default, a release goes to the first one) */
    stage = "",
    /** AWS account ID; credentials of any other account are refused (by default, any account is accepted) */
    account = "",
    /** AWS region, such as $AWS_REGION */
    region = "",
    /** Name of the Amazon ECR repository */
    repository = "",
    /** Name of the Amazon ECS cluster */
    cluster = "",
    /** Name of the Amazon ECS service, or of several to release together: web,worker */
    service = "",
    /** Name of the container in the task definition, or of several: web,worker (not needed if there is only one) */
    container = "",
    /** Family of the task definition to take all other settings from, one per service (by default, the running one) */
    template = "",
    /** Lifecycle stage at which ECS waits until a person approves a deployment, such as POST_SCALE_UP (by default, the service's own hooks decide) */
    approval = "",
    /** URL at which people reach the service (by default, its tag ecs-release:url) */
    url = "",
    /** ARNs, separated by commas, of Amazon SNS topics and Amazon EventBridge event buses to notify when a deployment starts, pauses or ends */
    notify = "",
    /** URL of a webhook to notify as well, such as env://RELEASE_WEBHOOK: Slack's, or any that accepts JSON */
    webhook?: Secret,
    /** Secret that signs the webhook's requests (Standard Webhooks) */
    webhookSecret?: Secret,
    /** AWS credentials as JSON, such as "cmd://aws configure export-credentials"; read again before they expire */
    awsCredentials?: Secret,
    /** AWS access key ID, if awsCredentials is not set */
    awsAccessKeyId?: Secret,
    /** AWS secret access key */
    awsSecretAccessKey?: Secret,
    /** AWS session token, for temporary credentials */
    awsSessionToken?: Secret,
    /** ARN of a role to assume with these credentials; everything else is done as that role */
    roleArn = "",
    /** Service to use instead of AWS, such as tcp://127.0.0.1:4566 */
    awsEndpoint?: Service,
    /** App of ecs-release.yaml to work on (by default, all of them, or the only one) */
    app = "",
  ) {
    Object.assign(this, {
      source,
      gitDir,
      path,
      tagPrefix,
      branch,
      gitRemote,
      gitUsername,
      gitToken,
      gitEndpoint,
      gitApi,
      gitImage,
      context,
      dockerfile,
      testTarget,
      reportTarget,
      reportPath,
      runtimeTarget,
      platform,
      compression,
      sbomImage,
      signingKey,
      buildArgs,
      buildSecret,
      buildSecretId,
      ssh,
      stage,
      account,
      region,
      repository,
      cluster,
      service,
      container,
      template,
      approval,
      url,
      notify,
      webhook,
      webhookSecret,
      awsCredentials,
      awsAccessKeyId,
      awsSecretAccessKey,
      awsSessionToken,
      roleArn,
      awsEndpoint,
      app,
    } satisfies Record<keyof Settings, unknown>)
  }

  /**
   * The apps that the call is about, each with its settings: arguments, then ecs-release.yaml, then defaults. If there are stages, the
   * settings are those of the named stage, or of the first one.
   */
  private async apps(
    ws: Workspace | undefined,
    { releases = false, ...options }: CallOptions & { releases?: boolean } = {},
    stage = this.stage,
  ): Promise<(App & { stage?: string })[]> {
    const source = this.source ?? ws?.directory("/", { exclude: ["**/node_modules", "**/.venv"] })
    const found = await eachApp(await appsOf({ ...this, source }, new EcsRelease(), this.app), async app => {
      if (releases) assertFirst(app.stages, stage)
      const chosen = stage === "" ? firstStage(app.stages) : stageNamed(app.stages, stage)
      const settings = chosen?.settings ?? app.settings
      validate(settings, options)
      return { ...app, settings, stage: chosen?.name }
    })
    return found.map(([, app]) => app)
  }

  /** The settings of the one app that the call is about. With several stages, a call that changes what runs must pass `--stage`. */
  private async one(
    ws: Workspace | undefined,
    options: CallOptions & { changes?: boolean; releases?: boolean } = {},
  ): Promise<Settings> {
    const [first, ...others] = await this.apps(ws, options)
    if (first && others.length === 0) {
      if (options.changes && this.stage === "" && first.stages.length > 1) throw unclear(first.stages)
      return first.settings
    }
    throw severalApps([first, ...others])
  }

  /** The app and the stage that the call names. */
  private names(): { app?: string; stage?: string } {
    return { app: this.app || undefined, stage: this.stage || undefined }
  }

  /** Where an app runs: the named stage, or all stages. */
  private places(settings: Settings, stages: Stage[]): Pick<Stage, "name" | "settings">[] {
    return this.stage === "" && stages.length > 0 ? stages : [{ name: this.stage, settings }]
  }

  /**
   * Prints the version of HEAD
   *
   * This is the version that a release of HEAD would get, or the current version if there is nothing to release.
   *
   * Rules: the base is the highest vX.Y.Z tag merged into HEAD. Conventional Commits since then raise it: a breaking change
   * raises major (minor below 1.0.0), feat minor, and fix, perf and revert patch. The first release is 0.1.0. A Release-As
   * footer sets the version.
   *
   * Example: dagger call version
   *
   * @returns just X.Y.Z; with several apps in ecs-release.yaml, one line per app: its name and its version
   */
  @func({ cache: "never" })
  async version(ws?: Workspace): Promise<string> {
    const versions = await eachApp(
      await this.apps(ws),
      async ({ settings }) => (await computeVersion(settings)).version,
    )
    const isOne = this.app !== "" || versions.length === 1
    return versions.map(([name, version]) => (isOne ? version : `${name} ${version}\n`)).join("")
  }

  /**
   * Shows what a release of HEAD would do, and why
   *
   * It changes nothing. It shows the base, the commits that count and those that don't, the steps, and the changes to the
   * service's task definition.
   *
   * Example: dagger call plan --table
   *
   * @param table Print a readable table instead of JSON (same as --format text)
   * @param format text or json
   */
  @func({ cache: "never" })
  async plan(table = false, format = "json", ws?: Workspace): Promise<string> {
    const written = table ? "text" : parseFormat(format)
    const plans = await eachApp(await this.apps(ws), async ({ settings, stages }) => ({
      ...(await plan(settings)),
      ...(stages.length > 0 && { stages: stages.map(stageFacts) }),
      picture: picture(stages),
    }))
    return writeApps(written, "plan", plans, ({ picture, ...found }) => ({
      ...found,
      text: picture === "" ? planTable(found) : `${planTable(found)}\nStages\n${picture}\n`,
    }))
  }

  /**
   * Writes the release notes for HEAD's version in Markdown
   *
   * They come from the same commits as the version number. For GitHub, GitLab and Bitbucket, commits and pull requests are links.
   *
   * Example: dagger call changelog > notes.md
   * Example: dagger call changelog --since 1.2.0
   *
   * @param since Print the notes of all versions after this one, newest first; it must be in HEAD's history (by default, only HEAD's notes)
   */
  @func({ cache: "never" })
  async changelog(since = "", ws?: Workspace): Promise<string> {
    const settings = await this.one(ws)
    const found = await computeVersion(settings)
    if (since === "") return printable(await changelogOf(found, settings))
    const releases = await releasesSince(found, settings, since)
    if (releases.length === 0) return `No version comes after ${printable(since)}.\n`
    const host = siteOf(found, settings)
    const notes = releases.map(({ version, date, commits }) => changelog(version, date, commits, host))
    return printable(notes.join("\n"))
  }

  /**
   * Returns the changelog file with missing versions added
   *
   * The format is Keep a Changelog 1.1.0, with links to the changes. It adds the versions after the newest one in the file, and the one
   * that HEAD would release; everything else in the file stays as it is. If there is no file yet, it starts one.
   *
   * Example: dagger call changelog-file --update CHANGELOG.md export --path CHANGELOG.md
   *
   * @param update Path of the file in the repository
   * @param since Add the versions after this one; it must be in HEAD's history (by default, those newer than the ones in the file)
   */
  @func({ cache: "never" })
  async changelogFile(update = "CHANGELOG.md", since = "", ws?: Workspace): Promise<File> {
    const settings = await this.one(ws)
    if (!isInside(update) || update === "") throw notInside("--update", update)
    const source = sourceOf(settings)
    const [found, isThere] = await Promise.all([computeVersion(settings), source.exists(update)])
    const before = isThere ? await source.file(update).contents() : ""
    const releases = await releasesSince(found, settings, since)
    const { tagPrefix } = settings
    const after = updateChangelog(before, releases, { host: siteOf(found, settings), tagPrefix })
    const name = update.split("/").at(-1) ?? update
    return dag.directory().withNewFile(name, after).file(name)
  }

  /**
   * Runs the app's tests
   *
   * It builds the Dockerfile stage that runs the tests. If they fail, it fails and shows their output. Version rules do not apply: it
   * works on any commit, even on a branch that is behind or in a clone without tags.
   *
   * Example: dagger call test
   */
  @func({ cache: "never" })
  @check()
  async test(ws?: Workspace): Promise<string> {
    const apps = await this.apps(ws)
    const tested = await eachApp(apps, async ({ settings }) => {
      const target = settings.testTarget
      if (target === "") return "no tests: no test stage is set\n"
      const found = await openCheckout(settings)
      const context = await contextOf(found, settings)
      await runTests(context, settings, unreleasedVersion(found, context))
      return `passed: stage ${target} of ${settings.dockerfile}, commit ${found.head.sha.slice(0, 7)}\n`
    })
    return tested.map(([name, text]) => (name === "" ? text : `${name}: ${text}`)).join("")
  }

  /**
   * Returns the test reports, such as JUnit XML
   *
   * It works even if the tests fail, as long as the stage that keeps the reports does not fail with them.
   *
   * Example: dagger call test-report export --path reports
   */
  @func({ cache: "never" })
  async testReport(ws?: Workspace): Promise<Directory> {
    const settings = await this.one(ws)
    const target = required(settings.reportTarget, "report stage", "--report-target")
    const found = await openCheckout(settings)
    const context = await contextOf(found, settings)
    const stage = await buildTarget(context, settings, target, unreleasedVersion(found, context))
    return stage.directory(settings.reportPath)
  }

  /**
   * Builds the image of HEAD
   *
   * Its version names the commit and shows that it is not a release: 0.0.0-g1a2b3c4d5e6f, in APP_VERSION and in OCI labels.
   * Uncommitted changes are built too; the version then ends with .changed. Version rules do not apply.
   *
   * By itself it prints the container's ID. Chain another function to use it: terminal, export, as-tarball, publish, or with-exec.
   *
   * Example: dagger call build terminal
   * Example: dagger call build export --path image.tar
   * Example: dagger call build with-exec --args python3,hello_world.py,--version stdout
   */
  @func({ cache: "never" })
  async build(ws?: Workspace): Promise<Container> {
    const settings = await this.one(ws)
    const found = await openCheckout(settings)
    const context = await contextOf(found, settings)
    return buildImage(context, settings, found, unreleasedVersion(found, context))
  }

  /**
   * Tests, builds and pushes HEAD's image to Amazon ECR
   *
   * It claims the version first, with a tag on the remote, then pushes the image under the version and the commit ID. Anything
   * that is already there is left as it is. Like release, it accepts only commits on the remote's release branch (--branch).
   *
   * Example: dagger call push
   *
   * @returns the image by digest
   */
  @func({ cache: "never" })
  async push(ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { releases: true })
    const found = await computeVersion(settings, { release: true })
    const refused = offBranch(found, settings)
    if (refused) throw refused
    const nothing = nothingToDo(found)
    if (nothing) return printable(nothing)
    const context = await contextOf(found, settings)
    refuseChanges(context)
    const steps = new StepTimer(print)
    const pushed = await pushRelease({ aws: await openAws(settings), settings, found, context, steps, print })
    if ("overtaken" in pushed) return printable(nothingToDo(pushed.overtaken) ?? "")
    await pushed.attaching
    return pushed.image.reference
  }

  /**
   * Deploys an image from Amazon ECR and follows it to the end
   *
   * Safe to repeat: an image that already runs is left alone, and a deployment in progress is followed. Without --image it never
   * replaces a newer version. If HEAD is not a release and has nothing to release, it deploys the running version again with the
   * current settings.
   *
   * The result begins with completed, unchanged, or paused (ECS waits for an approval). An error begins with rolled back,
   * superseded, timed out or failed.
   *
   * Example: dagger call deploy
   * Example: dagger call deploy --image 1.2.3 --timeout 600
   * Example: dagger call --signing-key awskms:///alias/release deploy --require signature,provenance
   *
   * @param image Version, full commit ID or digest of the image (by default, HEAD's, or the running one if HEAD has nothing to release)
   * @param timeout Seconds to follow the deployment, from 1 to 86400; after that, ECS continues on its own
   * @param format text or json
   * @param waitForApproval Keep following while ECS waits for an approval; that time does not count
   * @param require Checks that the image must pass, separated by commas: signature (made by --signing-key), provenance (signed by it,
   *   and naming this repository and its release branch)
   * @returns how it ended
   */
  @func({ cache: "never" })
  async deploy(
    image = "",
    timeout = 900,
    format = "text",
    waitForApproval = false,
    require = "",
    ws?: Workspace,
  ): Promise<string> {
    const written = parseFormat(format)
    const requirements = parseRequire(require)
    const settings = await this.one(ws, { timeout, changes: true, releases: image === "" })
    const aws = await openAws(settings)
    const named = await resolveImage(aws, settings, image, print)
    await requireProof(aws, settings, named, requirements, { given: this })
    const keepNewer = image === ""
    const targets = servicesOf(settings)
    for (const where of keepNewer ? targets : []) {
      const back = await wasRolledBack(aws, { ...where, version: named.version })
      if (back) throw rolledBackError(named.version, back)
    }
    const follow = { timeoutSeconds: timeout, waitForApproval, print }
    const runs = targets.map(where => ({ ...where, ...named, keepNewer, ...follow }))
    const about = { action: "deploy", version: named.version, commit: named.commit, ...this.names() }
    const ends = await announced(settings, about, print, hooks =>
      deploySet(
        aws,
        runs.map(run => ({ ...run, ...hooks })),
        settings,
      ),
    )
    const { version, commit, image: reference } = named
    return write(written, "deploy", {
      outcome: outcomeOf(ends),
      version,
      commit,
      image: { reference, digest: reference.split("@")[1] },
      services: ends.map((end, at) => serviceEnd(targets[at] ?? targets[0], end)),
      text: ends.map(end => end.text).join("\n"),
    })
  }

  /**
   * Releases HEAD: from a commit to a running service
   *
   * The steps are version, test and build, claim, push, deploy. Each is safe to repeat: if a release dies, run it again, or the
   * next release finishes it. Only commits on the remote's release branch (--branch) are released, and an older version never
   * replaces a newer one.
   *
   * Example: dagger call release
   * Example: dagger call release --severity HIGH --migrate "python3 manage.py migrate"
   * Example: dagger call release --publish
   *
   * @param timeout Seconds to follow the deployment, from 1 to 86400; after that, ECS continues on its own
   * @param severity Refuse an image that has no ECR scan, or whose scan has a finding at or above this severity, such as HIGH
   *   (by default, scans are not checked)
   * @param migrate Command to run in the image's sh before the deployment, once per version; if it fails, nothing is deployed
   * @param format text or json
   * @param waitForApproval Keep following while ECS waits for an approval; that time does not count. Otherwise the release ends with
   *   the word paused; run it again after the approval to follow the deployment to its end
   * @param stage Stage of ecs-release.yaml to release to (by default, the first one)
   * @param smoke Command to run in the image's sh once the new version is deployed, or gets test traffic; $SMOKE_URL is its
   *   address (the service's URL, or its tag ecs-release:test-url). If the command fails, the deployment is rolled back
   * @param publish Create the release on GitHub or GitLab, with its notes, and set the commit status and the deployment state there
   * @returns a readable summary, even if there is nothing to release
   */
  @func({ cache: "never" })
  async release(
    timeout = 900,
    severity = "",
    migrate = "",
    format = "text",
    waitForApproval = false,
    stage = "",
    smoke = "",
    publish = false,
    ws?: Workspace,
  ): Promise<string> {
    const written = parseFormat(format)
    const apps = await this.apps(ws, { timeout, severity, releases: true }, stage || this.stage)
    const options = { timeoutSeconds: timeout, severity, migrate, smoke, waitForApproval, publish, print }
    const [only] = apps
    if (only && apps.length === 1) {
      const named = { app: only.name || undefined, stage: only.stage }
      const { deployed, isLive, ...end } = await release(only.settings, { ...options, ...named })
      return writeApps(written, "release", [[only.name, { ...end, ...deployed }]], it => it)
    }
    if (migrate !== "") {
      throw new UserError(
        "--migrate works with one app at a time: each app would run the command in its own image.",
        "",
        "Release that app with --app and --migrate first, then the others.",
      )
    }
    const ends = await releaseApps(apps, options)
    const results = ends.map(({ text, deployed, isLive, ...end }) => ({ ...end, ...deployed }))
    return write(written, "release", { apps: results, text: appsTable(ends) })
  }

  /**
   * Goes back to the previous version, or to a named one
   *
   * It deploys that version's image from ECR. It builds nothing and makes no new version. If a deployment is in progress, it stops it.
   *
   * Example: dagger call rollback
   * Example: dagger call rollback --to 1.2.2
   *
   * @param to Version, full commit ID or digest to go back to (by default, the previous version)
   * @param timeout Seconds to follow the deployment, from 1 to 86400; after that, ECS continues on its own
   */
  @func({ cache: "never" })
  async rollback(to = "", timeout = 900, ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { timeout, changes: true })
    const repository = required(settings.repository, "ECR repository", "--repository")
    const { tagPrefix } = settings
    const options = { repository, tagPrefix, to: to || undefined, timeoutSeconds: timeout, print }
    const [first, ...others] = servicesOf(settings)
    const all = others.map(where => ({ ...where, ...options }))
    const aws = await openAws(settings)
    const about = { action: "rollback", version: to, ...this.names() }
    const ends = await announced(settings, about, print, ({ begin, onPause }) => {
      const [one, ...rest] = [{ ...first, ...options }, ...all].map(it => ({ ...it, begin, onPause }))
      return rollbackSet(aws, [one as RollbackOptions, ...rest])
    })
    return printable(`${ends.map(end => end.text).join("\n")}\n`)
  }

  /**
   * Promotes an image to a stage, from the stage before it
   *
   * It deploys the same image, by digest, and builds nothing. The image must have completed in the stage before, according to ECS's
   * record. It shows which versions are skipped and what changed between the two stages. It refuses an image that was rolled back or
   * rejected there, or that is older than what runs in the target stage.
   *
   * Stages are defined in ecs-release.yaml; each names the stage that it comes after. If the stages have different registries, the image
   * is copied unchanged, or pulled from the other registry (images: pull).
   *
   * Example: dagger call promote --to production
   * Example: dagger call promote --to production --version 1.2.2 --wait-for-approval
   *
   * @param to Stage to promote to
   * @param version Version to promote (by default, the one that runs in the stage before)
   * @param timeout Seconds to follow the deployment, from 1 to 86400; after that, ECS continues on its own
   * @param format text or json
   * @param waitForApproval Keep following while ECS waits for an approval; that time does not count
   * @param smoke Command to run in the image's sh once the version is deployed, or gets test traffic; $SMOKE_URL is its
   *   address (the service's URL, or its tag ecs-release:test-url). If the command fails, the deployment is rolled back
   * @param require Checks that the image must pass, separated by commas: signature (made by --signing-key), provenance (signed by it,
   *   and naming this repository and its release branch)
   * @returns how it ended
   */
  @func({ cache: "never" })
  async promote(
    to: string,
    version = "",
    timeout = 900,
    format = "text",
    waitForApproval = false,
    smoke = "",
    require = "",
    ws?: Workspace,
  ): Promise<string> {
    const written = parseFormat(format)
    const [app, ...others] = await this.apps(ws, { timeout }, to)
    if (!app || others.length > 0) throw severalApps([app, ...others])
    const stage = stageNamed(app.stages, to)
    const before = stageBefore(app.stages, stage)
    const requirements = parseRequire(require)
    const follow = { timeoutSeconds: timeout, waitForApproval, smoke, print }
    const options = {
      version: version || undefined,
      require: requirements,
      given: this,
      app: app.name || undefined,
      ...follow,
    }
    const from = { stage: before, aws: await openAws(before.settings) }
    const { ends, image, digest, ...promoted } = await promote(
      from,
      { stage, aws: await openAws(stage.settings) },
      options,
    )
    const targets = servicesOf(stage.settings)
    return write(written, "promote", {
      outcome: outcomeOf(ends),
      from: before.name,
      to,
      ...promoted,
      image: { reference: image, digest },
      services: ends.map((end, at) => serviceEnd(targets[at] ?? targets[0], end)),
      text: [
        ...ends.map(end => end.text),
        "",
        `from      ${before.name}: ${promoted.version}`,
        `before    ${promoted.before ?? promoted.version}${promoted.skipped.length > 0 ? `; skipped: ${promoted.skipped.join(", ")}` : ""}`,
        ...(promoted.changelog === "" ? [] : ["", promoted.changelog.trimEnd()]),
      ].join("\n"),
    })
  }

  /**
   * Approves a deployment that is waiting for approval
   *
   * ECS waits at a lifecycle hook of type PAUSE (see --approval). The AWS identity of the approver is recorded on the task definition.
   * This function does not follow the deployment: release and deploy do, and status shows it.
   *
   * Example: dagger call approve
   * Example: dagger call approve --version 1.2.3
   *
   * @param version Version to approve; if another one is waiting, nothing is done (by default, whichever is waiting)
   * @returns a line for each service whose deployment continues
   */
  @func({ cache: "never" })
  async approve(version = "", ws?: Workspace): Promise<string> {
    return this.answer(ws, { action: "CONTINUE", version: version || undefined })
  }

  /**
   * Rejects a deployment that is waiting for approval: ECS rolls it back
   *
   * The run that follows the deployment ends with the words rolled back, and says who rejected it and why. A later release does not
   * bring the version back by itself.
   *
   * Example: dagger call reject --why "the checkout page is broken"
   *
   * @param why Why it is rejected; shown in the deployment's result
   * @param version Version to reject; if another one is waiting, nothing is done (by default, whichever is waiting)
   * @returns a line for each service whose deployment is rolled back
   */
  @func({ cache: "never" })
  async reject(why: string, version = "", ws?: Workspace): Promise<string> {
    return this.answer(ws, { action: "ROLLBACK", why, version: version || undefined })
  }

  private async answer(ws: Workspace | undefined, said: Parameters<typeof answer>[2]): Promise<string> {
    const settings = await this.one(ws, { changes: true })
    const lines = await answer(await openAws(settings), servicesOf(settings), said, print)
    return printable(`${lines.join("\n")}\n`)
  }

  /**
   * Shows what the service is running and what happened recently
   *
   * It shows the version, commit, digest, start time, tasks, how the last deployments ended, and what a release of HEAD would do.
   *
   * Example: dagger call status
   * Example: dagger call status --format json
   *
   * @param format text or json
   */
  @func({ cache: "never" })
  async status(format = "text", ws?: Workspace): Promise<string> {
    const written = parseFormat(format)
    const found = await eachApp(await this.apps(ws), async ({ settings, stages }) => {
      const all = await Promise.all(
        this.places(settings, stages).map(async place => {
          const aws = await openAws(place.settings)
          const found = await Promise.all(servicesOf(place.settings).map(where => status(aws, where)))
          return found.map(it => (place.name === "" ? it : { stage: place.name, ...it }))
        }),
      )
      return { services: all.flat(), outlook: (await outlook(settings)).trim() }
    })
    return writeApps(written, "status", found, ({ services, outlook }) => ({
      services: services.map(({ text, revision: taskDefinition, ...it }) => ({ ...it, taskDefinition })),
      outlook,
      text: [
        ...services.map(it => ("stage" in it ? `stage            ${it.stage}\n${it.text}` : it.text)),
        outlook,
      ].join("\n\n"),
    }))
  }

  /**
   * Prints the SBOM of an image: the packages that are installed in it
   *
   * It is SPDX 2.3 in JSON, as attached to the image when it was pushed. With --signing-key, only an SBOM that the key has signed is
   * printed, and only if nobody has changed it since.
   *
   * Example: dagger call sbom > sbom.spdx.json
   * Example: dagger call sbom --image 1.2.3
   *
   * @param image Version, full commit ID or digest of the image (by default, HEAD's, or the running one if HEAD has nothing to release)
   * @param platform Which platform of a multi-platform image (by default, the first one in --platform)
   */
  @func({ cache: "never" })
  async sbom(image = "", platform = "", ws?: Workspace): Promise<string> {
    const settings = await this.one(ws)
    const aws = await openAws(settings)
    const named = await resolveImage(aws, settings, image, print)
    return printable(await readSbom(aws, settings, named, platform))
  }

  /**
   * Lists the versions in Amazon ECR
   *
   * It shows the commit, date and size of each, and which one is running.
   *
   * Example: dagger call history
   *
   * @param format text or json
   */
  @func({ cache: "never" })
  async history(format = "text", ws?: Workspace): Promise<string> {
    const written = parseFormat(format)
    const settings = await this.one(ws)
    const aws = await openAws(settings)
    const repository = required(settings.repository, "ECR repository", "--repository")
    const services = await Promise.all(servicesOf(settings).map(where => status(aws, where)))
    const running = new Set(services.flatMap(({ digest }) => digest ?? []))
    const found = await history(aws, { repository, running })
    return write(written, "history", { repository, ...found })
  }

  /**
   * Serves a web page that shows what is running and how it got there
   *
   * The page shows what runs in each stage, the deployments of the last four weeks with their outcomes and causes, the four DORA metrics,
   * the changes in each version, and what a release of HEAD would do. It follows deployments live. It changes and stores nothing:
   * everything comes from ECS and git. It listens where `up` does, and has no password.
   *
   * Example: dagger call dashboard up
   * Example: dagger call dashboard up --ports 9000:8080
   *
   * @param port Port that the service listens on, from 1 to 65535
   */
  @func({ cache: "never" })
  @up()
  async dashboard(port = 8080, ws?: Workspace): Promise<Service> {
    if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      throw new UserError(`--port does not accept ${port}.`, "", "It must be a port, from 1 to 65535.")
    }
    const apps = await this.apps(ws)
    const [first] = apps
    if (!first) throw severalApps([])
    const shown = apps.map(app => ({ ...app, places: this.places(app.settings, app.stages) }))
    return dashboard(shown, first.settings, port)
  }

  /**
   * Measures software delivery with the four DORA metrics
   *
   * Deployment frequency, lead time for changes, change failure rate and time to restore, for each service. They come from ECS's record
   * of deployments, which goes back 90 days, and from the commit times in git. Text and JSON explain how each is counted.
   *
   * Example: dagger call metrics
   * Example: dagger call metrics --since 7d --format json
   *
   * @param since Start of the window: how long ago, such as 7d, or a time, such as 2026-01-31
   * @param until End of the window (by default, now)
   * @param format text, json, or emf: CloudWatch's embedded metric format, a line for each service
   */
  @func({ cache: "never" })
  async metrics(since = "30d", until = "", format = "text", ws?: Workspace): Promise<string> {
    const written = format === "emf" ? "emf" : parseFormat(format, "text, json or emf")
    const window = parseWindow(since, until)
    const found = await eachApp(await this.apps(ws), async ({ settings, stages }) => {
      const places = await Promise.all(
        this.places(settings, stages).map(async place => {
          const aws = await openAws(place.settings)
          return servicesOf(place.settings).map(where => ({ aws, where, stage: place.name }))
        }),
      )
      return metrics(places.flat(), settings, window)
    })
    if (written === "emf") return found.map(([, services]) => metricsEmf(services)).join("")
    return writeApps(written, "metrics", found, services => ({
      services,
      counted,
      text: metricsTable(services),
    }))
  }

  /**
   * Runs a one-off task, such as a migration
   *
   * It uses the service's network, volumes and roles, prints the task's log, and fails if the command does. The command replaces the
   * image's entry point and command.
   *
   * Example: dagger call run --command python3,hello_world.py,--version
   *
   * @param command Command to run, as a list of arguments
   * @param image Version, full commit ID or digest of the image (by default, HEAD's, or the running one if HEAD has nothing to release)
   * @param timeout Seconds that the task may take, from 1 to 86400; after that it is stopped
   */
  @func({ cache: "never" })
  async run(command: string[], image = "", timeout = 900, ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { timeout, changes: true })
    const aws = await openAws(settings)
    const named = await resolveImage(aws, settings, image, print)
    const options = { ...servicesOf(settings)[0], ...named, command, timeoutSeconds: timeout, print }
    return printable(`${(await runTask(aws, options)).text}\n`)
  }

  /**
   * Checks everything that a deployment needs, before there is one
   *
   * Credentials, registry, service, containers, platform, target groups and ports, roles (whether they exist, ECS may assume them, and
   * you may pass them), secrets and parameters, log groups, subnets and security groups, quota, rollback, hooks. It changes nothing
   * and reads no secret's value.
   *
   * Each check is ok, wrong (what, why, what to do), or cannot tell, with the permission that is missing. With --format text the call fails
   * if a deployment would fail; with json it only reports it. A release runs the same checks before it claims a version.
   *
   * Example: dagger call verify
   *
   * @param format text or json
   */
  @func({ cache: "never" })
  async verify(format = "text", ws?: Workspace): Promise<string> {
    const written = parseFormat(format)
    const found = await eachApp(await this.apps(ws), async ({ settings }) =>
      verify(await openAws(settings), settings),
    )
    const all = found.flatMap(([, checks]) => checks)
    const output = writeApps(written, "verify", found, checks => ({ checks, text: writeChecks(checks) }))
    if (written === "text" && all.some(({ result, blocks }) => result === "wrong" && blocks)) {
      throw new UserError(
        "A deployment would fail.",
        output.trimEnd(),
        "Correct what is wrong, then run 'verify' again.",
      )
    }
    return output
  }

  /**
   * Restarts the service
   *
   * It replaces the tasks with new ones of the same task definition, so that they read secrets and parameters again, and follows that
   * deployment until it ends.
   *
   * Example: dagger call restart
   *
   * @param timeout Seconds to follow the deployment, from 1 to 86400; after that, ECS continues on its own
   * @returns how it ended, in the same words as deploy
   */
  @func({ cache: "never" })
  async restart(timeout = 900, ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { timeout, changes: true })
    const aws = await openAws(settings)
    const ends = await onEach(servicesOf(settings), print, (where, print) =>
      restart(aws, where, { timeoutSeconds: timeout, print }),
    )
    return printable(`${ends.map(end => end.text).join("\n")}\n`)
  }

  /**
   * Sets how many tasks the service runs
   *
   * It waits until that many are running. If the service uses Application Auto Scaling, that may change the number again.
   *
   * Example: dagger call scale --to 2
   *
   * @param to Number of tasks, from 0 to 5000
   * @param timeout Seconds to wait for them, from 1 to 86400; after that, ECS continues on its own
   */
  @func({ cache: "never" })
  async scale(to: number, timeout = 900, ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { timeout, to, changes: true })
    const aws = await openAws(settings)
    const ends = await onEach(servicesOf(settings), print, (where, print) =>
      scale(aws, where, { to, timeoutSeconds: timeout, print }),
    )
    return printable(`${ends.join("\n")}\n`)
  }

  /**
   * Prints what the service's containers write to CloudWatch Logs
   *
   * Lines of all its tasks, oldest first: time, task, container, text.
   *
   * Example: dagger call logs
   * Example: dagger call logs --since 2h
   * Example: dagger call --progress plain logs --follow
   *
   * @param since How far back to start, such as 10m, 2h or 1d, or a time, such as 2026-01-31T12:00:00Z
   * @param follow Keep printing new lines, as progress, until you interrupt it or the timeout is reached
   * @param timeout Seconds to follow, from 1 to 86400
   */
  @func({ cache: "never" })
  async logs(since = "10m", follow = false, timeout = 3600, ws?: Workspace): Promise<string> {
    const settings = await this.one(ws, { timeout })
    const from = parseTime(since, "--since")
    const aws = await openAws(settings)
    const lines: string[] = []
    await onEach(servicesOf(settings), follow ? print : line => lines.push(line), (where, print) =>
      readLogs(aws, where, { since: from, followSeconds: follow ? timeout : 0, print }),
    )
    return printable(lines.map(line => `${line}\n`).join(""))
  }

  /**
   * Shows what the repository still needs before its first release
   *
   * It checks git, the Dockerfile, the settings, AWS, and whether something starts a release on a push. It changes nothing.
   *
   * Example: dagger call init
   *
   * @returns a line for each check, with what to do if something is missing
   */
  @func({ cache: "never" })
  async init(ws?: Workspace): Promise<string> {
    return printable(await init(await this.apps(ws)))
  }

  /**
   * Returns the CI file that releases on every push
   *
   * For GitHub Actions, GitLab CI or AWS CodeBuild. AWS trusts the job's own identity (OpenID Connect) or the build's role: no AWS key
   * is stored. Export it to the repository, and read its first lines. It releases pushes to the remote's default branch, or to --branch.
   * A different file of that name is not replaced, unless --replace says so.
   *
   * Example: dagger call ci-config --system github --module github.com/OWNER/ecs-release/ci@v1.2.3 export --path .
   *
   * @param system github, gitlab or codebuild
   * @param module Address of this module, with its version
   * @param replace Replace a file that is there
   */
  @func({ cache: "never" })
  async ciConfig(system: string, module: string, replace = false, ws?: Workspace): Promise<Directory> {
    const apps = await this.apps(ws)
    const { settings } = apps[0] as App
    // Settings in the repository's own file need no argument here.
    const region = apps.every(({ settings }) => settings.region !== "") ? [] : ['--region "$AWS_REGION"']
    const given = [...(this.branch === "" ? [] : [`--branch ${this.branch}`]), ...region]
    // What was typed is checked before the remote is asked.
    ciText(system, { module, branch: "main", given })
    const source = sourceOf(settings)
    const [branch, content] = await Promise.all([releaseBranch(settings, print), contentOf(source)])
    return ciConfig(system, { module, branch, given, ...content }, replace ? undefined : source)
  }
}
