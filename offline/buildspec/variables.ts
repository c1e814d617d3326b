import { randomUUID } from "node:crypto"
import type { Buildspec } from "./buildspec.js"
import { BuildError } from "./errors.js"
import { eventVariables, type WebhookEvent } from "./event.js"
import type { Project } from "./project.js"
import { type Secrets, secretValue } from "./secrets.js"

/** The variables that CodeBuild itself sets (Environment variables in build environments). */
export function builtInVariables(build: {
  project: Project
  event: WebhookEvent
  number: number
  region: string
  accountId: string
  repositoryUrl: string
  sourceDir: string
}): Record<string, string> {
  const { project, event, region, accountId } = build
  const uuid = randomUUID()
  return {
    AWS_DEFAULT_REGION: region,
    AWS_REGION: region,
    CODEBUILD_BUILD_ARN: `arn:aws:codebuild:${region}:${accountId}:build/${project.name}:${uuid}`,
    CODEBUILD_BUILD_ID: `${project.name}:${uuid}`,
    CODEBUILD_BUILD_IMAGE: project.image,
    CODEBUILD_BUILD_NUMBER: `${build.number}`,
    CODEBUILD_BUILD_SUCCEEDING: "1",
    CODEBUILD_CI: "true",
    CODEBUILD_KMS_KEY_ID: `arn:aws:kms:${region}:${accountId}:alias/aws/s3`,
    CODEBUILD_LOG_PATH: uuid,
    CODEBUILD_RESOLVED_SOURCE_VERSION: event.commit,
    CODEBUILD_SOURCE_REPO_URL: build.repositoryUrl,
    CODEBUILD_SRC_DIR: build.sourceDir,
    CODEBUILD_START_TIME: `${Date.now()}`,
    ...eventVariables(event),
  }
}

/**
 * The variables of buildspec and project, the project's first: it wins where both define one.
 *
 * @returns the variables, and which of the values are secrets
 * @throws BuildError for a secret that is not there
 */
export function definedVariables(
  spec: Buildspec,
  project: Project,
  secrets: Secrets,
): { variables: Record<string, string>; secret: string[] } {
  const fromSpec = Object.entries(spec.secrets).map(([name, reference]) => [
    name,
    secretValue(reference, secrets),
  ])
  const fromProject = project.variables.map(({ name, type, value }) => {
    if (type === "PARAMETER_STORE") throw new BuildError(`${name}: Parameter Store is not supported here.`)
    return [name, type === "PLAINTEXT" ? value : secretValue(value, secrets), type]
  })
  const secret = [...fromSpec, ...fromProject.filter(([, , type]) => type !== "PLAINTEXT")]
  return {
    variables: { ...spec.variables, ...Object.fromEntries([...fromSpec, ...fromProject]) },
    secret: secret.map(([, value]) => value as string),
  }
}
