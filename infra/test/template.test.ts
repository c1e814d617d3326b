import { describe, expect, it } from "vitest"
import { changed } from "../lib/settings.js"
import { synthesize, synthesizedText } from "../lib/synth.js"
import { all, only } from "./find.js"
import { complete, variants } from "./variants.js"

const template = synthesize(complete)
const variant = (name: string) => synthesize(variants[name] ?? complete)

describe("registry", () => {
  const repository = only(template, "AWS::ECR::Repository")

  it("has immutable tags, scans on push, and outlives the stack", () => {
    expect(repository.ImageTagMutability).toBe("IMMUTABLE")
    expect(repository.ImageScanningConfiguration).toEqual({ ScanOnPush: true })
    const resource = Object.values(template.Resources).find(({ Type }) => Type === "AWS::ECR::Repository")
    expect(resource).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" })
  })

  it("expires nothing but images without a tag, unless told to", () => {
    const rules = (it: { LifecyclePolicy: { LifecyclePolicyText: string } }) =>
      JSON.parse(it.LifecyclePolicy.LifecyclePolicyText).rules
    expect(rules(repository).map((rule: { selection: object }) => rule.selection)).toEqual([
      { tagStatus: "untagged", countType: "sinceImagePushed", countNumber: 7, countUnit: "days" },
    ])
    const kept = only(variant("kept images, docker server"), "AWS::ECR::Repository")
    expect(rules(kept)[1].selection).toMatchObject({ countType: "imageCountMoreThan", countNumber: 200 })
  })
})

describe("network", () => {
  it("spans two zones without a NAT gateway", () => {
    expect(Object.keys(all(template, "AWS::EC2::Subnet"))).toHaveLength(2)
    expect(all(template, "AWS::EC2::NatGateway")).toEqual({})
    expect(Object.keys(all(variant("nat, all logs"), "AWS::EC2::NatGateway"))).toHaveLength(1)
  })

  it("lets only the load balancer reach the tasks", () => {
    const groups = all(template, "AWS::EC2::SecurityGroup")
    const balancer = Object.keys(groups).find(id => id.includes("Balancer"))
    const tasks = Object.entries(groups).find(([id]) => id.includes("Task"))?.[1]
    expect(tasks.SecurityGroupIngress).toEqual([
      expect.objectContaining({
        FromPort: 8000,
        ToPort: 8000,
        SourceSecurityGroupId: { "Fn::GetAtt": [balancer, "GroupId"] },
      }),
    ])
    expect(all(template, "AWS::EC2::SecurityGroupIngress")).toEqual({})
  })

  it("is open to the ranges that are allowed, on the ports that are served", () => {
    const ingress = Object.values(all(variant("https"), "AWS::EC2::SecurityGroup")).flatMap(
      it => it.SecurityGroupIngress as { FromPort: number; CidrIp?: string; CidrIpv6?: string }[],
    )
    const open = ingress.map(it => `${it.FromPort} ${it.CidrIp ?? it.CidrIpv6 ?? "-"}`)
    expect(open.sort()).toEqual(
      ["80 192.0.2.0/24", "80 2001:db8::/32", "443 192.0.2.0/24", "443 2001:db8::/32", "8000 -"].sort(),
    )
  })
})

describe("load balancer", () => {
  it("checks the health path, and answers 404 if no rule matches", () => {
    expect(only(template, "AWS::ElasticLoadBalancingV2::TargetGroup").HealthCheckPath).toBe("/healthz")
    const [action] = only(template, "AWS::ElasticLoadBalancingV2::Listener").DefaultActions
    expect(action.FixedResponseConfig.StatusCode).toBe("404")
  })

  it.each(["https", "domain"])("serves HTTPS and redirects HTTP: %s", name => {
    const redirect = only(variant(name), "AWS::ElasticLoadBalancingV2::Listener", { Protocol: "HTTP" })
    expect(redirect.DefaultActions[0].RedirectConfig).toMatchObject({
      Protocol: "HTTPS",
      StatusCode: "HTTP_301",
    })
    const secure = only(variant(name), "AWS::ElasticLoadBalancingV2::Listener", { Protocol: "HTTPS" })
    expect(secure).toMatchObject({ Port: 443, SslPolicy: expect.stringContaining("TLS13") })
  })
})

describe("service", () => {
  const service = only(template, "AWS::ECS::Service")

  it("names its task definition by family and its count not at all: an update moves neither", () => {
    expect(service.TaskDefinition).toBe("hello")
    expect(service).not.toHaveProperty("DesiredCount")
  })

  it("rolls back by itself, on failing tasks and on alarms", () => {
    const { DeploymentCircuitBreaker, Alarms } = service.DeploymentConfiguration
    const ThresholdConfiguration = { Type: "COUNT", Value: 2 }
    expect(DeploymentCircuitBreaker).toEqual({ Enable: true, Rollback: true, ThresholdConfiguration })
    expect(Alarms).toMatchObject({ Enable: true, Rollback: true })
    expect(Alarms.AlarmNames).toHaveLength(Object.keys(all(template, "AWS::CloudWatch::Alarm")).length)
  })

  it("shifts traffic between two groups by the rule, and watches both, if it is blue/green", () => {
    const blueGreen = variant("blue/green")
    const it = only(blueGreen, "AWS::ECS::Service")
    expect(it.DeploymentConfiguration).toMatchObject({ Strategy: "BLUE_GREEN", BakeTimeInMinutes: 5 })
    const { AlternateTargetGroupArn, ProductionListenerRule } = it.LoadBalancers[0].AdvancedConfiguration
    expect(AlternateTargetGroupArn.Ref).not.toBe(it.LoadBalancers[0].TargetGroupArn.Ref)
    expect(all(blueGreen, "AWS::ElasticLoadBalancingV2::ListenerRule")).toHaveProperty(
      ProductionListenerRule.Ref,
    )
    expect(Object.keys(all(blueGreen, "AWS::CloudWatch::Alarm"))).toHaveLength(4)
  })

  it("shifts traffic in steps if it is linear or a canary, and waits for an approval at the configured stage", () => {
    const linear = only(variant("linear, approval"), "AWS::ECS::Service").DeploymentConfiguration
    expect(linear).toMatchObject({
      ...{ Strategy: "LINEAR", LinearConfiguration: { StepPercent: 10, StepBakeTimeInMinutes: 5 } },
      LifecycleHooks: [
        {
          ...{ TargetType: "PAUSE", LifecycleStages: ["PRE_PRODUCTION_TRAFFIC_SHIFT"] },
          TimeoutConfiguration: { TimeoutInMinutes: 60, Action: "ROLLBACK" },
        },
      ],
    })
    const canary = only(variant("canary, failed tasks"), "AWS::ECS::Service").DeploymentConfiguration
    expect(canary).toMatchObject({
      ...{ Strategy: "CANARY", CanaryConfiguration: { CanaryPercent: 10, CanaryBakeTimeInMinutes: 5 } },
      DeploymentCircuitBreaker: {
        Enable: true,
        Rollback: true,
        ThresholdConfiguration: { Type: "COUNT", Value: 1 },
      },
    })
    const early = only(variant("early success"), "AWS::ECS::Service").DeploymentConfiguration
    expect(early.EarlySuccessCriteria).toEqual({
      ...{ Enable: true, HealthyPercent: 100, SourceServiceRevisionCleanup: "DEFERRED" },
    })
  })

  it("keeps the first revision as it is, whatever changes that is not a name or the placeholder", () => {
    const first = (it: typeof template) => only(it, "AWS::ECS::TaskDefinition", { Family: "hello" })
    for (const [name, config] of Object.entries(variants)) {
      expect(first(synthesize(config)), name).toEqual(first(template))
    }
    const bigger = synthesize(
      changed(complete, ["container.cpu=1024", "container.memory=2048", "tasks.max=9"]),
    )
    expect(first(bigger)).toEqual(first(template))
    expect(only(bigger, "AWS::ECS::TaskDefinition", { Family: "template-hello" })).toMatchObject({
      Memory: "2048",
    })
  })

  it("scales between the bounds", () => {
    expect(only(template, "AWS::ApplicationAutoScaling::ScalableTarget")).toMatchObject({
      MinCapacity: 1,
      MaxCapacity: 4,
    })
  })
})

describe("builds", () => {
  const release = only(template, "AWS::CodeBuild::Project", { Name: "hello" })
  const test = only(template, "AWS::CodeBuild::Project", { Name: "hello-pull-request" })

  it("releases pushes to the branch only, from a whole clone, privileged", () => {
    expect(release.Triggers.FilterGroups).toEqual([
      [
        { Type: "EVENT", Pattern: "PUSH" },
        { Type: "HEAD_REF", Pattern: "^refs/heads/main$" },
      ],
    ])
    expect(release).toMatchObject({ BadgeEnabled: true, TimeoutInMinutes: 30 })
    expect(release.Source).toMatchObject({ GitCloneDepth: 0, Auth: { Type: "CODECONNECTIONS" } })
    expect(release.Environment.PrivilegedMode).toBe(true)
  })

  it("takes the branch's name literally: no other branch is released", () => {
    const dotted = synthesize(changed(complete, ["source.branch=release/1.0"]))
    for (const Name of ["hello", "hello-pull-request"]) {
      const { FilterGroups } = only(dotted, "AWS::CodeBuild::Project", { Name }).Triggers
      const pattern = new RegExp(FilterGroups[0][1].Pattern)
      expect("refs/heads/release/1.0").toMatch(pattern)
      expect("refs/heads/release/1x0").not.toMatch(pattern)
    }
  })

  it("limits no project's builds: beyond a limit CodeBuild refuses a push instead of queuing it", () => {
    for (const [name, config] of Object.entries(variants)) {
      for (const project of Object.values(all(synthesize(config), "AWS::CodeBuild::Project"))) {
        expect(project, name).not.toHaveProperty("ConcurrentBuildLimit")
      }
    }
  })

  it("tests pull requests with neither the token nor the right to release", () => {
    expect(test.Triggers.FilterGroups[0][0].Pattern).toMatch(/^PULL_REQUEST_CREATED/)
    expect(test.Environment.EnvironmentVariables).toBeUndefined()
    const role = only(template, "AWS::IAM::Role", { RoleName: "hello-pull-request-build" })
    expect(role.ManagedPolicyArns).toBeUndefined()
    const text = JSON.stringify(role.Policies)
    for (const service of ["ecr:", "ecs:", "iam:", "secretsmanager:"]) expect(text).not.toContain(service)
  })

  describe("of pull requests, which run whatever the pull request says", () => {
    const shared = synthesize(
      changed(complete, [
        'build.fleet={"machines":1,"computeType":"BUILD_GENERAL1_SMALL"}',
        'build.dockerServer={"computeType":"BUILD_GENERAL1_MEDIUM"}',
      ]),
    )
    const release = only(shared, "AWS::CodeBuild::Project", { Name: "hello" })
    const test = only(shared, "AWS::CodeBuild::Project", { Name: "hello-pull-request" })

    it("run on a fresh machine and leave nothing behind, whatever machines and caches a release has", () => {
      expect(release.Environment).toMatchObject({ Fleet: expect.anything(), DockerServer: expect.anything() })
      expect(release.Cache.Type).toBe("LOCAL")
      expect(Object.keys(test.Environment).sort()).toEqual(["ComputeType", "Image", "PrivilegedMode", "Type"])
      expect(test.Cache).toEqual({ Type: "NO_CACHE" })
      expect(test.Artifacts).toEqual({ Type: "NO_ARTIFACTS" })
      const lasting = ["VpcConfig", "FileSystemLocations", "SecondaryArtifacts", "SecondarySources"]
      for (const property of lasting) expect(test).not.toHaveProperty(property)
    })

    it("have a role and a log of their own", () => {
      expect(test.ServiceRole).not.toEqual(release.ServiceRole)
      expect(test.LogsConfig.CloudWatchLogs.GroupName).not.toEqual(
        release.LogsConfig.CloudWatchLogs.GroupName,
      )
    })

    it("may write to nothing that is not their own: no report and no log of a release", () => {
      const { Policies } = only(shared, "AWS::IAM::Role", { RoleName: "hello-pull-request-build" })
      const statements = Policies.flatMap(
        (it: { PolicyDocument: { Statement: { Action: string[]; Resource: unknown }[] } }) =>
          it.PolicyDocument.Statement,
      )
      const others = statements.filter(
        (it: { Resource: unknown }) => !JSON.stringify(it.Resource).includes("hello-pull-request"),
      )
      expect(others).toEqual([
        {
          Sid: "Source",
          Effect: "Allow",
          Action: ["codeconnections:GetConnection", "codeconnections:GetConnectionToken"],
          Resource: complete.source.connectionArn,
        },
      ])
    })
  })

  it("gives the application's own role no permissions at all", () => {
    const role = only(template, "AWS::IAM::Role", { RoleName: "hello-task" })
    expect(role.Policies ?? role.ManagedPolicyArns).toBeUndefined()
  })
})

describe("several accounts", () => {
  it("may release to this one if they are named, and pull from it; by default nobody may", () => {
    const shared = variant("several accounts")
    const role = only(shared, "AWS::IAM::Role", { RoleName: "hello-cross-account" })
    expect(role.AssumeRolePolicyDocument.Statement).toEqual([
      {
        ...{ Effect: "Allow", Action: "sts:AssumeRole" },
        Principal: { AWS: "arn:aws:iam::222222222222:role/pipeline" },
      },
    ])
    expect(role.ManagedPolicyArns).toHaveLength(2)
    const [statement] = only(shared, "AWS::ECR::Repository").RepositoryPolicyText.Statement
    expect(JSON.stringify(statement.Principal)).toContain(":iam::333333333333:root")
    expect(statement.Action).toEqual([
      ...["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
    ])
    expect(only(template, "AWS::ECR::Repository").RepositoryPolicyText).toBeUndefined()
    const names = Object.values(all(template, "AWS::IAM::Role")).map(it => it.RoleName)
    expect(names).not.toContain("hello-cross-account")
  })
})

describe("GitHub Actions", () => {
  const role = (name: string) => only(variant(name), "AWS::IAM::Role", { RoleName: "hello-github-actions" })
  const provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"

  it("may release from the repository's branch, by its own identity and nobody else's", () => {
    const { Statement } = role("github actions, known provider").AssumeRolePolicyDocument
    expect(Statement).toEqual([
      {
        Effect: "Allow",
        Action: "sts:AssumeRoleWithWebIdentity",
        Principal: { Federated: provider },
        Condition: {
          StringEquals: {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:example/hello:ref:refs/heads/main",
          },
        },
      },
    ])
    // What a release does, and what it looks at before.
    expect(role("github actions").ManagedPolicyArns).toHaveLength(2)
    expect(role("github actions").Policies).toBeUndefined()
  })

  it("has a provider made for it unless the account has one, and neither unless asked for", () => {
    const type = "AWS::IAM::OIDCProvider"
    expect(only(variant("github actions"), type)).toEqual({
      ...{ Url: "https://token.actions.githubusercontent.com", ClientIdList: ["sts.amazonaws.com"] },
    })
    expect(all(variant("github actions, known provider"), type)).toEqual({})
    expect(all(template, type)).toEqual({})
    expect(JSON.stringify(template)).not.toContain("github-actions")
  })
})

describe("an engine that stays", () => {
  const engine = variant("engine")
  const task = only(engine, "AWS::ECS::TaskDefinition", { Family: "hello-engine" })
  const [container] = task.ContainerDefinitions
  const ofEngine = (type: string) =>
    Object.entries(all(engine, type)).find(([id]) => id.startsWith("BuildEngine"))?.[1]

  it("is one privileged task at a time, with its cache on the instance's volume", () => {
    expect(container).toMatchObject({
      Image: "registry.dagger.io/engine:v0.21.8",
      Command: ["--addr", "tcp://0.0.0.0:1234"],
      Privileged: true,
      HealthCheck: { Command: ["CMD", "dagger", "core", "version"] },
    })
    expect(container.MountPoints).toContainEqual(
      expect.objectContaining({ ContainerPath: "/var/lib/dagger", ReadOnly: false }),
    )
    expect(task.Volumes).toContainEqual({ Name: "cache", Host: { SourcePath: "/var/lib/dagger" } })
    const service = only(engine, "AWS::ECS::Service", { ServiceName: "hello-engine" })
    expect(service).toMatchObject({
      DesiredCount: 1,
      DeploymentConfiguration: { MinimumHealthyPercent: 0, MaximumPercent: 100 },
    })
    const { LaunchTemplateData } = only(engine, "AWS::EC2::LaunchTemplate")
    expect(LaunchTemplateData).toMatchObject({
      InstanceType: "m7i.xlarge",
      BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { Encrypted: true, VolumeSize: 200 } }],
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
    })
  })

  it("is reached only by the releasing builds, which then need no privileges", () => {
    const groups = Object.entries(all(engine, "AWS::EC2::SecurityGroup"))
    const id = (part: string) => groups.find(([id]) => id.startsWith(`BuildEngine${part}`))?.[0]
    const rules = Object.values(all(engine, "AWS::EC2::SecurityGroupIngress")).filter(
      it => it.GroupId["Fn::GetAtt"][0] === id("Group"),
    )
    expect(rules).toEqual([
      expect.objectContaining({
        ...{ FromPort: 1234, ToPort: 1234 },
        SourceSecurityGroupId: { "Fn::GetAtt": [id("Clients"), "GroupId"] },
      }),
    ])
    const release = only(engine, "AWS::CodeBuild::Project", { Name: "hello" })
    expect(release.Environment.PrivilegedMode).toBe(false)
    expect(release.Environment.EnvironmentVariables).toContainEqual({
      ...{ Name: "_EXPERIMENTAL_DAGGER_RUNNER_HOST", Value: "tcp://engine.hello.internal:1234" },
    })
    expect(release.VpcConfig.SecurityGroupIds).toEqual([{ "Fn::GetAtt": [id("Clients"), "GroupId"] }])
    // What a pull request builds must not end up in a release's cache.
    const pullRequest = only(engine, "AWS::CodeBuild::Project", { Name: "hello-pull-request" })
    expect(pullRequest.VpcConfig).toBeUndefined()
    expect(pullRequest.Environment.PrivilegedMode).toBe(true)
    expect(ofEngine("AWS::AutoScaling::AutoScalingGroup")).toMatchObject({ MinSize: "1", MaxSize: "1" })
  })

  it("takes an image for its processor", () => {
    const image = (name: string) => JSON.stringify(variant(name).Parameters)
    expect(image("engine, arm")).toContain("arm64")
    expect(image("engine")).not.toContain("arm64")
  })
})

describe("every role that a service of AWS assumes", () => {
  /** Services whose documents show a trust policy without these keys: whether they send them is not known. */
  const keysNotDocumented = ["ecs.amazonaws.com", "ec2.amazonaws.com"]
  const account = { "aws:SourceAccount": { Ref: "AWS::AccountId" } }

  it.each(Object.keys(variants))("is assumed for this account only: %s", name => {
    const roles = Object.entries(all(variant(name), "AWS::IAM::Role"))
    expect(roles.length).toBeGreaterThan(2)
    for (const [id, { AssumeRolePolicyDocument }] of roles) {
      for (const { Principal, Condition } of AssumeRolePolicyDocument.Statement) {
        if (!Principal.Service) continue
        if (keysNotDocumented.includes(Principal.Service)) {
          expect(Condition, id).toEqual({ StringEqualsIfExists: account })
        } else {
          expect(Condition?.StringEquals, id).toEqual(account)
          const arn = JSON.stringify(Condition.ArnLike["aws:SourceArn"])
          expect(arn, id).toMatch(
            /^\{"Fn::Join":\["",\["arn:",\{"Ref":"AWS::Partition"\},":[a-z0-9]+:eu-north-1:",/,
          )
          expect(arn, id).toContain('{"Ref":"AWS::AccountId"}')
        }
      }
    }
  })

  it("lets a build assume its role only for its own project", () => {
    for (const project of Object.values(all(template, "AWS::CodeBuild::Project"))) {
      const role = template.Resources[project.ServiceRole["Fn::GetAtt"][0]]?.Properties
      expect(JSON.stringify(role?.AssumeRolePolicyDocument)).toContain(`:project/${project.Name}"`)
    }
  })
})

it.each(Object.keys(variants))("is small enough to be sent as it is, without a bucket: %s", name => {
  expect(Buffer.byteLength(synthesizedText(variants[name] ?? complete))).toBeLessThan(51_200)
})
