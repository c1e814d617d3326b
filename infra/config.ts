/** Everything that differs between accounts and teams. The values are at the end of this file. */
export type Config = {
  /** Account to deploy to. If left out, the account of the credentials. If set, any other account is refused. */
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
     * If set, even to `{}`, GitHub Actions may release too: with a role that trusts this repository's branch. An account can have only one
     * provider for GitHub's identities: if there is one already, set its ARN.
     */
    githubActions?: { providerArn?: string }
  }
  /** The application's container, without its image, which the pipeline sets. A change goes live with the next deployment. */
  container: {
    name: string
    port: number
    /** Path that answers 200 when the container can serve. */
    healthPath: string
    /** Fargate's CPU units (256 is a quarter of a vCPU) and MiB of memory; not every pair exists. */
    cpu: number
    memory: number
    architecture: "X86_64" | "ARM64"
    /** Settings that aren't secret. The pipeline sets `APP_VERSION`. */
    environment: Record<string, string>
    readonlyRootFilesystem: boolean
  }
  /** What runs until the first release. Read when the stack is created, and never again. */
  placeholder: { image: string; command: string[] }
  network: {
    cidr: string
    /** How tasks reach the registry and the logs: each by its own public address, or through one NAT gateway. */
    egress: "public-ip" | "nat"
    /** Logs which addresses talk to each other, in CloudWatch Logs. */
    flowLogs: boolean
  }
  access: {
    /** Who may reach the load balancer. */
    allowedCidrs: string[]
    /** True gives the load balancer private addresses only. */
    internal: boolean
    /** ACM certificate in this region. If this or `domain` is set, HTTP redirects to HTTPS. */
    certificateArn?: string
    /** A name in a Route 53 zone of this account. It gets a record, and a certificate if none is given. */
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
    /** All but rolling: minutes for which the old tasks stay, so that an alarm can move the traffic back at once. */
    bakeMinutes: number
    /** Linear and canary: percent of the traffic per step (canary: in the first one), and minutes between steps. */
    step: { percent: number; minutes: number }
    /** Failed tasks after which a deployment has failed; if left out, half of the tasks, and at least 3. */
    failedTasks?: number
    /** Rolling: percent of the tasks that have to be healthy to complete a deployment; old tasks are stopped after that. */
    earlySuccessPercent?: number
    /** Seconds that a task has to finish its open requests when it is replaced: at least as long as the slowest response. */
    drainSeconds: number
    /** Seconds between SIGTERM and SIGKILL. */
    stopSeconds: number
    /** A stage at which ECS waits for a person to approve, and for how many minutes; after that it rolls back. */
    approval?: { stage: string; minutes: number }
  }
  alarms: {
    /** The number of 5xx responses per minute that is too many, if it is reached in three minutes out of five. */
    serverErrors: number
    /** SNS topic to notify. */
    topicArn?: string
  }
  registry: {
    /** Days after which an image without a tag expires. */
    untaggedDays: number
    /** If left out, every release is kept. If set, only that many of the newest: read README.md first. */
    keepReleases?: number
    /** Cannot be changed after the repository is created. */
    encryption: "AES256" | "KMS"
    /**
     * How images are signed: by the module with a key in AWS KMS (`--signing-key`), or by ECR itself on each push, with an AWS Signer
     * profile. An account has one ECR signing configuration per region: a second stack with ECR would replace it.
     */
    signing?: "KMS" | "ECR"
  }
  /** Where to send notifications when a release starts, waits or ends (`--notify`): an SNS topic, or an event bus. */
  notify?: "SNS" | "EVENTBRIDGE"
  /** For stages in several accounts (docs/stages.md). */
  crossAccount?: {
    /** ARNs of the roles and users that may assume the role that releases to this account. */
    releasedBy?: string[]
    /** IDs of the accounts that may pull and copy this repository's images. */
    pulledBy?: string[]
  }
  build: {
    /** CodeBuild's image and compute type (price and minutes: README.md). */
    image: string
    computeType: string
    timeoutMinutes: number
    queuedMinutes: number
    /** Whether to test pull requests, in a project without any of the release permissions. */
    pullRequests: boolean
    /** Machines kept running for releases: builds start at once, find Docker's layers, and queue. Billed around the clock. */
    fleet?: { machines: number; computeType: string }
    /** A Docker daemon for releases that outlives a build, and so keeps all layers. Billed while it runs. */
    dockerServer?: { computeType: string }
    /**
     * A Dagger engine for releases that keeps running, on its own EC2 instance: the next build finds its cache, and needs no
     * privileges. It needs network.egress "nat". `version` is the engine's version, which may be newer than the CLI's in buildspec.yml, but
     * never older. Billed around the clock.
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
