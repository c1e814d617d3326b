import { Arn, type ArnComponents, type Stack } from "aws-cdk-lib"
import type { Config } from "../config.js"

/** The names and ARNs that the stack and its permissions share, none of which needs a resource to exist. */
export function namesOf(stack: Stack, config: Config) {
  const { name } = config
  const arn = (parts: ArnComponents) => Arn.format(parts, stack)
  const ecs = (resource: string) => arn({ service: "ecs", resource })
  const logGroup = (group: string) => `${arn({ service: "logs", resource: "log-group" })}:${group}`
  const reportGroups = (project: string) =>
    arn({ service: "codebuild", resource: `report-group/${project}-*` })
  return {
    cluster: name,
    service: name,
    repository: name,
    /** Family of the revisions that the service runs: the pipeline's. */
    family: name,
    /** Family of the stack's settings, which the pipeline's next revision takes over. */
    templateFamily: `template-${name}`,
    project: name,
    pullRequestProject: `${name}-pull-request`,
    /** The key's alias, and the signing profile. AWS Signer takes no hyphens. */
    signingKey: `alias/${name}-release`,
    signingProfile: `${name.replaceAll("-", "_")}_release`,
    /** The topic, or the event bus, for the notifications of releases. */
    releases: `${name}-releases`,
    logGroup: `/ecs/${name}`,
    buildLogGroup: `/codebuild/${name}`,
    pullRequestLogGroup: `/codebuild/${name}-pull-request`,
    arns: {
      repository: arn({ service: "ecr", resource: `repository/${name}` }),
      cluster: ecs(`cluster/${name}`),
      service: ecs(`service/${name}/${name}`),
      serviceDeployments: ecs(`service-deployment/${name}/${name}/*`),
      serviceRevisions: ecs(`service-revision/${name}/${name}/*`),
      tasks: ecs(`task/${name}/*`),
      revisions: ecs(`task-definition/${name}:*`),
      /** Revisions of the family that the pipeline uses for one-off tasks. */
      taskRevisions: ecs(`task-definition/${name}-task:*`),
      taskRole: arn({ service: "iam", region: "", resource: `role/${name}-task` }),
      /** The roles that release: the build's, and one with a similar name for a laptop. */
      pipelineRoles: arn({ service: "iam", region: "", resource: `role/${name}-*` }),
      executionRole: arn({ service: "iam", region: "", resource: `role/${name}-execution` }),
      keys: arn({ service: "kms", resource: "key/*" }),
      signingProfile: arn({
        service: "signer",
        resource: `/signing-profiles/${name.replaceAll("-", "_")}_release`,
      }),
      topic: arn({ service: "sns", resource: `${name}-releases` }),
      eventBus: arn({ service: "events", resource: `event-bus/${name}-releases` }),
      logGroup: logGroup(`/ecs/${name}`),
      logStreams: `${logGroup(`/ecs/${name}`)}:log-stream:*`,
      buildLogStreams: `${logGroup(`/codebuild/${name}`)}:log-stream:*`,
      pullRequestLogStreams: `${logGroup(`/codebuild/${name}-pull-request`)}:log-stream:*`,
      reportGroups: reportGroups(name),
      pullRequestReportGroups: reportGroups(`${name}-pull-request`),
      // Secrets Manager ends a secret's ARN with six random characters.
      gitToken: `${arn({ service: "secretsmanager", resource: "secret" })}:${config.source.gitTokenSecret}-??????`,
      connection: config.source.connectionArn,
    },
  }
}

export type Names = ReturnType<typeof namesOf>
