/** Everything that differs between accounts and teams. The values are at the end of this file. */
export type Config = {
  /** Account to deploy to. If left out, that of the credentials. If set, any other account is refused. */
  account?: string
  region: string
  /** Name of the stack, cluster, service, repository, build project and task definition family. */
  name: string
  source: {
    /** GitHub repository, `owner/name`. */
    repository: string
    /** Branch whose pushes are released. */
    branch: string
    /** ARN of the CodeConnection to GitHub (made once in the console: GitHub asks a person to approve it). */
    connectionArn: string
    /** Name of the Secrets Manager secret with a token that can push tags to the repository. */
    gitTokenSecret: string
    /**
     * Set, even to `{}`, GitHub Actions may release too: a role that trusts this repository's branch. An account has one provider for
     * GitHub's identities: give its ARN if there is one already.
     */
    githubActions?: { providerArn?: string }
  }
  /** The application's container, without its image, which is the pipeline's. A change goes live with the next deployment. */
  container: {
    name: string
    port: number
    /** Path that answers 200 when the container can serve. */
    healthPath: string
    /** Fargate's CPU units (256 is a quarter of a vCPU) and MiB of memory; not every pair exists. */
    cpu: number
    memory: number
    architecture: "X86_64" | "ARM64"
    /** Settings that aren't secret. `APP_VERSION` is the pipeline's. */
    environment: Record<string, string>
    readonlyRootFilesystem: boolean
  }
  /** What runs until the first release. Read when the stack is created, and never again. */
  placeholder: { image: string; command: string[] }
  network: {
    cidr: string
    /** How tasks reach the registry and the logs: each by its own public address, or through one NAT gateway. */
    egress: "public-ip" | "nat"
    /** Records who talked to whom, in CloudWatch Logs. */
    flowLogs: boolean
  }
  access: {
    /** Who may reach the load balancer. */
    allowedCidrs: string[]
    /** True gives the load balancer private addresses only. */
    internal: boolean
    /** ACM certificate in this region. Set, or with `domain`, HTTP redirects to HTTPS. */
    certificateArn?: string
    /** A name in a Route 53 zone of this account: gets its record, and a certificate if none is given. */
    domain?: { name: string; zoneName: string; hostedZoneId: string }
    /** Logs each request in an S3 bucket, which outlives the stack. */
    accessLogs: boolean
  }
  /** How many tasks run: `min` at least, and up to `max` to keep the average CPU load at `cpuPercent`. */
  tasks: { min: number; max: number; cpuPercent: number; containerInsights: boolean }
  deployment: {
    /**
     * Rolling replaces tasks step by step. The others start all new ones beside the old and move the traffic: blue/green at once,
     * linear in equal steps, canary a small part first and then the rest.
     */
    strategy: "ROLLING" | "BLUE_GREEN" | "LINEAR" | "CANARY"
    /** All but rolling: minutes that the old tasks stay, so that an alarm can move the traffic back at once. */
    bakeMinutes: number
    /** Linear and canary: percent of the traffic in a step (canary: in the first), and minutes between two. */
    step: { percent: number; minutes: number }
    /** Failed tasks after which a deployment has failed; if left out, half of the tasks, and at least 3. */
    failedTasks?: number
    /** Rolling: percent of the tasks that have to be healthy to complete a deployment; old tasks are stopped after that. */
    earlySuccessPercent?: number
    /** Seconds that a task which is replaced still gets to answer what it was asked: as long as the longest answer takes. */
    drainSeconds: number
    /** Seconds between SIGTERM and SIGKILL. */
    stopSeconds: number
    /** A stage at which ECS waits until a person approves, and for how many minutes; then it rolls back. */
    approval?: { stage: string; minutes: number }
  }
  alarms: {
    /** How many answers with status 5xx in a minute are too many, in three minutes out of five. */
    serverErrors: number
    /** SNS topic to notify. */
    topicArn?: string
  }
  registry: {
    /** Days after which an image without a tag expires. */
    untaggedDays: number
    /** If left out, every release is kept. If set, only that many of the newest; see README.md first. */
    keepReleases?: number
    /** Fixed when the repository is created. */
    encryption: "AES256" | "KMS"
    /**
     * How images are signed: by a key in AWS KMS, with which the module signs (`--signing-key`), or by ECR itself on each push, with a
     * profile of AWS Signer. An account's region has one signing configuration for ECR: a second stack with ECR would replace it.
     */
    signing?: "KMS" | "ECR"
  }
  /** Where a release tells that it starts, waits, or has ended (`--notify`): an SNS topic, or an event bus. */
  notify?: "SNS" | "EVENTBRIDGE"
  /** For stages in several accounts (docs/stages.md). */
  crossAccount?: {
    /** ARNs of roles and users that may assume a role that releases to this account. */
    releasedBy?: string[]
    /** Numbers of accounts that may pull and copy this repository's images. */
    pulledBy?: string[]
  }
  build: {
    /** CodeBuild's image and compute type (price and minutes: README.md). */
    image: string
    computeType: string
    timeoutMinutes: number
    queuedMinutes: number
    /** Tests pull requests, in a project with none of a release's permissions. */
    pullRequests: boolean
    /** Machines kept running for releases: they start at once, keep Docker's layers, and queue. Billed around the clock. */
    fleet?: { machines: number; computeType: string }
    /** A Docker daemon for releases that outlives a build, and so keeps all layers. Billed while it runs. */
    dockerServer?: { computeType: string }
    /**
     * A Dagger engine for releases that stays, on an EC2 instance of its own: its cache is there for the next build, which needs no
     * privileges. It needs network.egress "nat". `version` is the engine's, which may be newer than the CLI's in buildspec.yml, never
     * older. Billed around the clock.
     */
    engine?: { version: string; instanceType: string; cacheGiB: number }
  }
  logs: { retentionDays: number }
}

export const config: Config = {
  region: "eu-north-1",
  name: "hello",
  source: {
    repository: "OWNER/REPOSITORY",
    branch: "main",
    connectionArn: "arn:aws:codeconnections:eu-north-1:111122223333:connection/SET-ME",
    gitTokenSecret: "hello/git-token",
  },
  container: {
    name: "app",
    port: 8000,
    healthPath: "/healthz",
    cpu: 256,
    memory: 512,
    architecture: "X86_64",
    environment: {},
    readonlyRootFilesystem: true,
  },
  placeholder: {
    image: "public.ecr.aws/docker/library/busybox:1.37",
    command: [
      "sh",
      "-c",
      "mkdir /www && cd /www && echo 'No release yet' | tee index.html healthz && exec httpd -f -p 8000",
    ],
  },
  network: { cidr: "10.0.0.0/16", egress: "public-ip", flowLogs: false },
  access: { allowedCidrs: ["0.0.0.0/0"], internal: false, accessLogs: true },
  tasks: { min: 1, max: 4, cpuPercent: 60, containerInsights: false },
  deployment: {
    strategy: "ROLLING",
    bakeMinutes: 5,
    step: { percent: 10, minutes: 5 },
    failedTasks: 2,
    drainSeconds: 10,
    stopSeconds: 15,
  },
  alarms: { serverErrors: 5 },
  registry: { untaggedDays: 7, encryption: "AES256" },
  build: {
    image: "aws/codebuild/amazonlinux-x86_64-standard:5.0",
    computeType: "BUILD_GENERAL1_MEDIUM",
    timeoutMinutes: 30,
    queuedMinutes: 60,
    pullRequests: true,
  },
  logs: { retentionDays: 30 },
}
