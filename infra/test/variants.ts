import { type Config, config } from "../config.js"
import { changed } from "../lib/settings.js"

/** A configuration that is complete, as a team would have it. */
export const complete: Config = changed(config, [
  "source.repository=example/hello",
  "source.connectionArn=arn:aws:codeconnections:eu-north-1:111122223333:connection/11111111-2222-3333-4444-555555555555",
])

/** Each option in use in one variant at least: what holds for the template must hold for all. */
export const variants: Record<string, Config> = {
  plain: complete,
  "blue/green": changed(complete, ["deployment.strategy=BLUE_GREEN"]),
  "linear, approval": changed(complete, [
    "deployment.strategy=LINEAR",
    'deployment.approval={"stage":"PRE_PRODUCTION_TRAFFIC_SHIFT","minutes":60}',
  ]),
  "canary, failed tasks": changed(complete, ["deployment.strategy=CANARY", "deployment.failedTasks=1"]),
  "several accounts": changed(complete, [
    'crossAccount={"releasedBy":["arn:aws:iam::222222222222:role/pipeline"],"pulledBy":["333333333333"]}',
  ]),
  "early success": changed(complete, ["deployment.earlySuccessPercent=100"]),
  https: changed(complete, [
    "access.certificateArn=arn:aws:acm:eu-north-1:111122223333:certificate/11111111-2222-3333-4444-555555555555",
    'access.allowedCidrs=["192.0.2.0/24","2001:db8::/32"]',
    "access.accessLogs=false",
    "alarms.topicArn=arn:aws:sns:eu-north-1:111122223333:on-call",
  ]),
  domain: changed(complete, [
    'access.domain={"name":"hello.example.org","zoneName":"example.org","hostedZoneId":"Z1234567890ABC"}',
    "access.internal=true",
  ]),
  "nat, all logs": changed(complete, [
    "network.egress=nat",
    "network.flowLogs=true",
    "tasks.containerInsights=true",
  ]),
  engine: changed(complete, [
    "network.egress=nat",
    'build.engine={"version":"0.21.8","instanceType":"m7i.xlarge","cacheGiB":200}',
  ]),
  "engine, arm": changed(complete, [
    "network.egress=nat",
    'build.engine={"version":"0.20.8","instanceType":"m7g.xlarge","cacheGiB":100}',
    "build.pullRequests=false",
  ]),
  "github actions": changed(complete, ["source.githubActions={}"]),
  "github actions, known provider": changed(complete, [
    'source.githubActions={"providerArn":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}',
  ]),
  "signed by a key, topic": changed(complete, [
    "registry.signing=KMS",
    "notify=SNS",
    'crossAccount={"pulledBy":["333333333333"]}',
  ]),
  "signed by ECR, event bus": changed(complete, ["registry.signing=ECR", "notify=EVENTBRIDGE"]),
  "kept images, docker server": changed(complete, [
    "registry.keepReleases=200",
    "registry.encryption=KMS",
    'container.environment={"GREETING":"hello"}',
    "container.architecture=ARM64",
    'build.dockerServer={"computeType":"BUILD_GENERAL1_MEDIUM"}',
    "build.pullRequests=false",
  ]),
}
