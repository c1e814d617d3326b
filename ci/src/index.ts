/**
 * From a commit on main to a running Amazon ECS service.
 *
 * Versions (Major.Minor.Patch) come from the git history by Conventional Commits, images go to Amazon ECR under immutable
 * tags, and a deployment is followed to its end. Every step can be called on its own and repeated safely.
 */
import {
  argument,
  type Container,
  type Directory,
  func,
  object,
  type Secret,
  type Service,
} from "@dagger.io/dagger"
import { openAws } from "./aws/account.js"
import { changelogOf } from "./changelog.js"
import { deploy } from "./deploy.js"
import { defaultGitImage } from "./git/repository.js"
import { history } from "./history.js"
import { buildImage, buildTarget, contextOf, runTests, unreleasedVersion } from "./image/build.js"
import { refuseChanges } from "./image/context.js"
import { StepTimer } from "./lib/steps.js"
import { printable } from "./lib/text.js"
import { plan, planTable } from "./plan.js"
import { nothingToDo, outlook, pushRelease, release, rolledBackError } from "./release.js"
import { resolveImage } from "./resolve-image.js"
import { rollback, wasRolledBack } from "./rollback.js"
import { runTask } from "./run.js"
import { deploymentOf, required, targetOf } from "./settings.js"
import { status } from "./status.js"
import { validate } from "./validate.js"
import { computeVersion, offBranch, openCheckout } from "./version/compute.js"

const print = (line: string) => console.log(printable(line))

@object()
export class EcsRelease {
  source!: Directory
  gitDir?: Directory
  path!: string
  tagPrefix!: string
  branch!: string
  gitRemote!: string
  gitUsername!: string
  gitToken?: Secret
  gitEndpoint?: Service
  gitImage!: string
  context!: string
  dockerfile!: string
  testTarget!: string
  reportTarget!: string
  reportPath!: string
  runtimeTarget!: string
  platform!: string
  buildArgs!: string[]
  region!: string
  repository!: string
  cluster!: string
  service!: string
  container!: string
  template!: string
  url!: string
  awsAccessKeyId?: Secret
  awsSecretAccessKey?: Secret
  awsSessionToken?: Secret
  awsEndpoint?: Service

  constructor(
    /** The repository, with its .git */
    @argument({ defaultPath: "/", ignore: ["**/node_modules", "**/.venv"] }) source: Directory,
    /** The git directory, for a linked work tree or a submodule, whose .git is a file */
    gitDir?: Directory,
    /** Count only commits that touch this path of the repository */
    path = "",
    /** What comes before the v of a version tag, such as api/ for api/v1.2.3 */
    tagPrefix = "",
    /** Branch to release from: only commits on this branch of the remote (its default branch if left out) */
    branch = "",
    /** HTTPS address of the remote to claim versions on (the source's origin if left out) */
    gitRemote = "",
    /** User name that goes with the token (oauth2 for GitLab, x-token-auth for Bitbucket) */
    gitUsername = "x-access-token",
    /** Token that may push tags to the remote; it is sent only to the remote's host, over HTTPS */
    gitToken?: Secret,
    /** Service that stands in for the remote's host, such as tcp://127.0.0.1:9418, over plain HTTP */
    gitEndpoint?: Service,
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
    /** Platform to build for, such as linux/arm64 */
    platform = "linux/amd64",
    /** Build arguments, KEY=VALUE each, in .env as '["KEY=VALUE"]'; VERSION is always passed */
    buildArgs: string[] = [],
    /** AWS region */
    region = "eu-north-1",
    /** Name of the Amazon ECR repository */
    repository = "",
    /** Name of the Amazon ECS cluster */
    cluster = "",
    /** Name of the Amazon ECS service */
    service = "",
    /** Name of the container in the task definition (may be left out if there is only one) */
    container = "",
    /** Family of the task definition to take all other settings from (the running one if left out) */
    template = "",
    /** Where people reach the service (its tag ecs-release:url if left out) */
    url = "",
    /** AWS access key id */
    awsAccessKeyId?: Secret,
    /** AWS secret access key */
    awsSecretAccessKey?: Secret,
    /** AWS session token, for temporary credentials */
    awsSessionToken?: Secret,
    /** Service that stands in for AWS, such as tcp://127.0.0.1:4566 */
    awsEndpoint?: Service,
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
      gitImage,
      context,
      dockerfile,
      testTarget,
      reportTarget,
      reportPath,
      runtimeTarget,
      platform,
      buildArgs,
      region,
      repository,
      cluster,
      service,
      container,
      template,
      url,
      awsAccessKeyId,
      awsSecretAccessKey,
      awsSessionToken,
      awsEndpoint,
    })
  }
  /**
   * Prints the version of HEAD
   *
   * It is the one that releasing HEAD would make, or the current one if there is nothing to release.
   *
   * Rules: the base is the highest vX.Y.Z tag merged into HEAD; Conventional Commits since then raise it (breaking major,
   * feat minor, fix, perf and revert patch; below 1.0.0 breaking raises minor); the first release is 0.1.0; a Release-As
   * footer sets it.
   *
   * Example: dagger call version
   *
   * @returns X.Y.Z alone
   */
  @func({ cache: "never" })
  async version(): Promise<string> {
    validate(this)
    return (await computeVersion(this)).version
  }

  /**
   * Shows what a release of HEAD would do, and why
   *
   * It changes nothing. It shows the base, the commits that count and those that don't, the steps, and the changes to the
   * service's task definition.
   *
   * Example: dagger call plan --table
   *
   * @param table Print a readable table instead of JSON
   */
  @func({ cache: "never" })
  async plan(table = false): Promise<string> {
    validate(this)
    const found = await plan(this)
    return printable(table ? planTable(found) : `${JSON.stringify(found, null, 2)}\n`)
  }

  /**
   * Writes the release notes for HEAD's version in Markdown
   *
   * They come from the same commits as the version number.
   *
   * Example: dagger call changelog > notes.md
   */
  @func({ cache: "never" })
  async changelog(): Promise<string> {
    validate(this)
    return printable(await changelogOf(await computeVersion(this), this))
  }

  /**
   * Runs the app's tests
   *
   * It builds the stage of the Dockerfile that runs them, and fails, with their output, if they do. No version rule stops it: it
   * runs on any commit, even on a branch that is behind or in a clone without tags.
   *
   * Example: dagger call test
   */
  @func({ cache: "never" })
  async test(): Promise<string> {
    const target = required(this.testTarget, "test stage", "--test-target")
    validate(this)
    const found = await openCheckout(this)
    const context = await contextOf(found, this)
    await runTests(context, this, unreleasedVersion(found, context))
    return `passed: stage ${target} of ${this.dockerfile}, commit ${found.head.sha.slice(0, 7)}\n`
  }

  /**
   * Returns the test reports, such as JUnit XML
   *
   * It works even if the tests fail: the stage that keeps the reports must not fail with them.
   *
   * Example: dagger call test-report export --path reports
   */
  @func({ cache: "never" })
  async testReport(): Promise<Directory> {
    const target = required(this.reportTarget, "report stage", "--report-target")
    validate(this)
    const found = await openCheckout(this)
    const context = await contextOf(found, this)
    const stage = await buildTarget(context, this, target, unreleasedVersion(found, context))
    return stage.directory(this.reportPath)
  }

  /**
   * Builds the image of HEAD
   *
   * Its version shows its commit and that no release made it: 0.0.0-g1a2b3c4d5e6f, in APP_VERSION and in OCI labels, with
   * .changed at the end if there are uncommitted changes, which are built too. No version rule stops it.
   *
   * By itself it prints the container's id. Chain what you want from it: terminal, export, as-tarball, publish, or with-exec.
   *
   * Example: dagger call build terminal
   * Example: dagger call build export --path image.tar
   * Example: dagger call build with-exec --args python3,hello_world.py,--version stdout
   */
  @func({ cache: "never" })
  async build(): Promise<Container> {
    validate(this)
    const found = await openCheckout(this)
    const context = await contextOf(found, this)
    return buildImage(context, this, found, unreleasedVersion(found, context))
  }

  /**
   * Tests, builds and pushes HEAD's image to Amazon ECR
   *
   * It claims the version first, with a tag on the remote, and pushes the image under the version and the commit's id. What is
   * already there is left as it is. Like release, it takes only a commit on the remote's release branch (--branch).
   *
   * Example: dagger call push
   *
   * @returns the image by digest
   */
  @func({ cache: "never" })
  async push(): Promise<string> {
    validate(this)
    const found = await computeVersion(this, { release: true })
    const refused = offBranch(found, this)
    if (refused) throw refused
    const nothing = nothingToDo(found)
    if (nothing) return printable(nothing)
    const context = await contextOf(found, this)
    refuseChanges(context)
    const pushed = await pushRelease(await openAws(this), this, found, context, new StepTimer(print), print)
    return "overtaken" in pushed ? printable(nothingToDo(pushed.overtaken) ?? "") : pushed.image.reference
  }

  /**
   * Deploys an image from Amazon ECR and follows it to the end
   *
   * Safe to repeat: what is running is left alone, what is on its way is followed. Without --image it never replaces a newer
   * version. If HEAD is not a release and has nothing to release, it deploys what is running with its current settings.
   *
   * Example: dagger call deploy
   * Example: dagger call deploy --image 1.2.3 --timeout 600
   *
   * @param image Version, full commit id or digest of the image (HEAD's own if left out)
   * @param timeout Seconds to follow the deployment, from 1 to 86400; ECS goes on after them
   * @returns how it ended; the first word is completed or unchanged. Rolled back, superseded, timed out and failed are errors
   *   that begin with that word
   */
  @func({ cache: "never" })
  async deploy(image = "", timeout = 900): Promise<string> {
    validate(this, { timeout })
    const aws = await openAws(this)
    const named = await resolveImage(aws, this, image, print)
    const keepNewer = image === ""
    const back = keepNewer
      ? await wasRolledBack(aws, { ...targetOf(this), version: named.version })
      : undefined
    if (back) throw rolledBackError(named.version, back)
    const options = { ...deploymentOf(this), ...named, keepNewer, timeoutSeconds: timeout, print }
    return printable(`${(await deploy(aws, options)).text}\n`)
  }

  /**
   * Takes HEAD to a running service
   *
   * The steps are version, test and build, claim, push, deploy. Each is safe to repeat, so a release that died is resumed by
   * running it again, or by the next release. Only a commit on the remote's release branch (--branch) is released, and
   * an older version never replaces a newer one.
   *
   * Example: dagger call release
   * Example: dagger call release --severity HIGH --migrate "python3 manage.py migrate"
   *
   * @param timeout Seconds to follow the deployment, from 1 to 86400; ECS goes on after them
   * @param severity Refuse an image whose ECR scan has a finding at or above this, such as HIGH, or that has no scan (no check if
   *   left out)
   * @param migrate Command to run in the image's sh before the deployment, once per version; if it fails, nothing is deployed
   * @returns a readable summary, even if there is nothing to release
   */
  @func({ cache: "never" })
  async release(timeout = 900, severity = "", migrate = ""): Promise<string> {
    return printable(await release(this, { timeoutSeconds: timeout, severity, migrate, print }))
  }

  /**
   * Goes back to the previous version, or to a named one
   *
   * It deploys that version's image from ECR, builds nothing and makes no version. It stops a deployment in progress.
   *
   * Example: dagger call rollback
   * Example: dagger call rollback --to 1.2.2
   *
   * @param to Version, full commit id or digest to go to (the previous version if left out)
   * @param timeout Seconds to follow the deployment, from 1 to 86400
   */
  @func({ cache: "never" })
  async rollback(to = "", timeout = 900): Promise<string> {
    validate(this, { timeout })
    const repository = required(this.repository, "ECR repository", "--repository")
    const { tagPrefix } = this
    const options = {
      ...targetOf(this),
      repository,
      tagPrefix,
      to: to || undefined,
      timeoutSeconds: timeout,
      print,
    }
    return printable(`${(await rollback(await openAws(this), options)).text}\n`)
  }

  /**
   * Shows what the service is running and what happened recently
   *
   * It shows the version, commit, digest, start time, tasks, how the last deployments ended, and what a release of HEAD would do.
   *
   * Example: dagger call status
   */
  @func({ cache: "never" })
  async status(): Promise<string> {
    validate(this)
    const found = await status(await openAws(this), targetOf(this))
    return printable(`${found.text}\n\n${await outlook(this)}`)
  }

  /**
   * Lists the versions in Amazon ECR
   *
   * Each with its commit, date and size, and which one is running.
   *
   * Example: dagger call history
   */
  @func({ cache: "never" })
  async history(): Promise<string> {
    validate(this)
    const aws = await openAws(this)
    const repository = required(this.repository, "ECR repository", "--repository")
    const { digest } = await status(aws, targetOf(this))
    return printable(`${(await history(aws, { repository, running: digest })).text}\n`)
  }

  /**
   * Runs a one-off task, such as a migration
   *
   * It has the service's network, volumes and roles. Its log is printed, and its exit code decides. The command replaces the
   * image's entry point and command.
   *
   * Example: dagger call run --command python3,hello_world.py,--version
   *
   * @param command Command to run, as a list of arguments
   * @param image Version, full commit id or digest of the image (HEAD's own if left out)
   * @param timeout Seconds that the task may take, from 1 to 86400; then it is stopped
   */
  @func({ cache: "never" })
  async run(command: string[], image = "", timeout = 900): Promise<string> {
    validate(this, { timeout })
    const aws = await openAws(this)
    const named = await resolveImage(aws, this, image, print)
    const options = { ...deploymentOf(this), ...named, command, timeoutSeconds: timeout, print }
    return printable(`${(await runTask(aws, options)).text}\n`)
  }
}
