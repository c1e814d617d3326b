import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DescribeImagesCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr"
import {
  type Deployment,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  type Service,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs"
import type { Emulator } from "../aws/emulator.js"
import { type DockerTarget, dockerEnv } from "../machine/docker.js"
import { resolveImage } from "../machine/images.js"
import { run } from "../machine/process.js"

/** What an AWS client takes to act as the pipeline, or with other credentials. */
export function client(emulator: Emulator, credentials?: { accessKeyId: string; secretAccessKey: string }) {
  return {
    region: emulator.region,
    endpoint: `http://127.0.0.1:${emulator.port}`,
    maxAttempts: 1,
    credentials: credentials ?? {
      accessKeyId: emulator.env.AWS_ACCESS_KEY_ID,
      secretAccessKey: emulator.env.AWS_SECRET_ACCESS_KEY,
      sessionToken: emulator.env.AWS_SESSION_TOKEN,
    },
  }
}

const SERVER = `import os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
version, mode = os.environ["VERSION"], os.environ["MODE"]
if mode == "crash":
    print("no database", flush=True)
    sys.exit(3)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if mode == "sick" else 200)
        self.end_headers()
        self.wfile.write(version.encode())
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
`

/** Runs the Docker client with the test's own configuration, and gives what it printed, or throws. */
export async function docker(
  target: DockerTarget,
  config: string,
  args: string[],
  input?: string,
): Promise<string> {
  const done = await run(target.cli, args, { env: { ...dockerEnv(target), DOCKER_CONFIG: config }, input })
  if (done.code !== 0) throw new Error(done.stderr)
  return done.stdout.trim()
}

/** Builds a server that is well, crashes at once or fails its health check, and pushes it. Gives its digest. */
export async function push(
  target: DockerTarget,
  emulator: Emulator,
  version: string,
  mode: "well" | "crash" | "sick",
): Promise<string> {
  const base = await resolveImage(target, "public.ecr.aws/docker/library/python:3.13-slim-bookworm", () => {})
  const dir = mkdtempSync(join(tmpdir(), "push-"))
  const registry = `127.0.0.1:${emulator.port}`
  const image = `${registry}/hello:${version}`
  writeFileSync(join(dir, "server.py"), SERVER)
  const lines = [
    `FROM ${base}`,
    "COPY server.py /",
    `ENV VERSION=${version} MODE=${mode}`,
    // An entry point, as the Dockerfile's own runtime has: a one-off task has to do without it.
    'ENTRYPOINT ["python3", "/server.py"]',
  ]
  writeFileSync(join(dir, "Dockerfile"), lines.join("\n"))
  const ecr = new ECRClient(client(emulator))
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}))
  const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? "", "base64").toString()
  try {
    await docker(
      target,
      dir,
      ["login", "--username", "AWS", "--password-stdin", registry],
      token.slice("AWS:".length),
    )
    await docker(target, dir, ["build", "--quiet", "--tag", image, dir])
    await docker(target, dir, ["push", "--quiet", image])
  } finally {
    rmSync(dir, { recursive: true })
  }
  const wanted = { repositoryName: "hello", imageIds: [{ imageTag: version }] }
  return (await ecr.send(new DescribeImagesCommand(wanted))).imageDetails?.[0]?.imageDigest ?? ""
}

/** The service as DescribeServices gives it. */
export async function service(ecs: ECSClient): Promise<Service> {
  const described = await ecs.send(new DescribeServicesCommand({ cluster: "hello", services: ["hello"] }))
  return described.services?.[0] as Service
}

/** Registers a revision with the image by digest, updates the service, and gives the deployment's id. */
export async function deploy(emulator: Emulator, digest: string): Promise<string> {
  const ecs = new ECSClient(client(emulator))
  const { taskDefinition } = await service(ecs)
  const { taskDefinition: current } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }))
  const image = `127.0.0.1:${emulator.port}/hello@${digest}`
  const { taskDefinition: next } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: current?.family,
      containerDefinitions: current?.containerDefinitions?.map(container => ({ ...container, image })),
      networkMode: current?.networkMode,
      requiresCompatibilities: current?.requiresCompatibilities,
      cpu: current?.cpu,
      memory: current?.memory,
      executionRoleArn: current?.executionRoleArn,
      taskRoleArn: current?.taskRoleArn,
    }),
  )
  const update = { cluster: "hello", service: "hello", taskDefinition: next?.taskDefinitionArn }
  const updated = await ecs.send(new UpdateServiceCommand(update))
  return updated.service?.deployments?.find(({ status }) => status === "PRIMARY")?.id ?? ""
}

/** Waits until no deployment is in progress, at most 60 s, and gives the service and the deployment named. */
export async function settled(emulator: Emulator, id: string): Promise<{ all: Service; own?: Deployment }> {
  const ecs = new ECSClient(client(emulator))
  for (let tries = 0; tries < 600; tries++) {
    const all = await service(ecs)
    if (all.deployments?.every(({ rolloutState }) => rolloutState !== "IN_PROGRESS")) {
      return { all, own: all.deployments.find(deployment => deployment.id === id) }
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error("no deployment came to an end")
}
