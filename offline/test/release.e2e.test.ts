import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { dag } from "@dagger.io/dagger"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { EcsRelease } from "../../ci/src/index.js"
import { dockerEnv } from "../machine/docker.js"
import { daggerProcess } from "./cli.help.js"
import { ModuleWorld } from "./module.world.js"
import { project, type Ran } from "./release.world.js"

// The command line from end to end; what does not need its own process is called in this one.

let world: ModuleWorld
let first: { commit: string; ran: Ran }

beforeAll(async () => {
  world = new ModuleWorld()
  await world.start()
})
afterAll(() => world.remove())

const docker = async (...args: string[]) => {
  const { docker } = await world.up()
  return execFileSync(docker.cli, args, { env: { ...process.env, ...dockerEnv(docker) } }).toString()
}

/** Makes a call in the repository, as a person does, and counts what it starts. */
const started = async (...words: string[]) => {
  const environment = world.environment as Record<string, string>
  const ran = await daggerProcess(world.source, ["-v", "-m", project, "call", ...words], environment)
  const count = (line: RegExp) => ran.stderr.match(line)?.length ?? 0
  return { ...ran, processes: count(/: a process starts$/gm), containers: count(/^exec /gm) }
}

describe("a commit to a running service", () => {
  test("the first release makes 0.1.0 live", async () => {
    first = { commit: world.git("rev-parse", "HEAD"), ran: await world.call("release") }
    const { code, stdout, stderr } = first.ran
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^completed: hello\/hello runs 0\.1\.0/)
    for (const line of [
      /^version +0\.1\.0$/m,
      new RegExp(`^commit +${first.commit}$`, "m"),
      /^url +http:\/\/localhost:\d+\/$/m,
    ]) {
      expect(stdout).toMatch(line)
    }
    expect(await world.runningVersion()).toBe("0.1.0")
    const page = await fetch((await world.up()).emulator.appUrl)
    expect(await page.text()).toContain("Hello from CI/CD!")
  })

  test("git, registry, image and service show the same version", async () => {
    const images = await world.images()
    const digest = images["0.1.0"] as string
    expect(digest).toMatch(/^sha256:/)
    expect(images[first.commit]).toBe(digest)
    expect(await world.remoteTags()).toEqual({ "v0.1.0": first.commit })
    const { taskDefinition, tags } = await world.service()
    const app = taskDefinition?.containerDefinitions?.find(({ name }) => name === "app")
    expect(app?.image).toMatch(new RegExp(`@${digest}$`))
    expect(app?.environment).toContainEqual({ name: "APP_VERSION", value: "0.1.0" })
    expect(tags).toMatchObject({ "ecs-release:version": "0.1.0", "ecs-release:commit": first.commit })
    const [{ Config: config }] = JSON.parse(await docker("image", "inspect", app?.image as string))
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.version": "0.1.0",
      "org.opencontainers.image.revision": first.commit,
      "org.opencontainers.image.created": world.git("log", "-1", "--format=%cI"),
    })
    expect(config.User).toBe("65532:65532")
    expect(config.Healthcheck).toBeDefined()
    expect((await docker("run", "--rm", app?.image as string, "--version")).trim()).toBe("0.1.0")
  })

  test("no secret is in the output, in the image or in its history", async () => {
    const { emulator, git } = await world.up()
    const { AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: session } = emulator.env
    const { stdout, stderr } = first.ran
    const image = (await world.service()).taskDefinition?.containerDefinitions?.[0]?.image as string
    const seen = [
      stdout,
      stderr,
      await docker("image", "inspect", image),
      await docker("history", "--no-trunc", image),
    ]
    for (const secret of [git.token, key, session]) {
      expect(secret.length).toBeGreaterThan(8)
      for (const text of seen) expect(text.includes(secret)).toBe(false)
    }
  })

  test("releasing the same commit again changes nothing", async () => {
    const before = [await world.images(), await world.remoteTags(), (await world.service()).taskDefinition]
    await started("version") // the first call also runs the constructor, whose result is kept
    const { exitCode, stdout, processes, containers } = await started("release")
    expect(exitCode).toBe(0)
    expect(processes).toBe(1)
    expect(containers).toBeLessThanOrEqual(3)
    expect(stdout).toMatch(/^unchanged: hello\/hello already runs 0\.1\.0/)
    expect([await world.images(), await world.remoteTags(), (await world.service()).taskDefinition]).toEqual(
      before,
    )
  })

  test("a call starts one process of the module, and few containers", async () => {
    const { processes, containers } = await started("version")
    expect(processes).toBe(1)
    expect(containers).toBeLessThanOrEqual(2)
    await world.pushCommit("docs: not released")
    const fresh = await started("version")
    expect({ stdout: fresh.stdout, processes: fresh.processes }).toEqual({ stdout: "0.1.0", processes: 1 })
    expect(fresh.containers).toBe(2)
    expect((await started("status")).processes).toBe(1)
    expect((await started("changelog")).processes).toBe(1)
  })

  test("a secret that has no value costs a second process each time, as on an engine", async () => {
    await started("--build-secret", "env://NOWHERE", "version")
    const again = await started("--build-secret", "env://NOWHERE", "version")
    expect(again.processes).toBe(2)
  })

  test("a failing app test stops the release before anything is claimed or pushed", async () => {
    const before = [await world.images(), await world.remoteTags()]
    await world.pushCommit("feat: break", {
      "app/test_break.py":
        "import unittest\nclass T(unittest.TestCase):\n  def test(self): self.fail('on purpose')\n",
    })
    await expect(world.release()).rejects.toThrow(/exit code: 1/)
    expect(world.progress.join("\n")).toContain("on purpose")
    expect([await world.images(), await world.remoteTags()]).toEqual(before)
    await world.pushCommit("fix: repair", { "app/test_break.py": "" })
  })

  for (const step of ["test", "claim", "push", "deploy"]) {
    test(`killed in the step ${step} and run again, a release ends well`, async () => {
      const commit = await world.pushCommit(`fix: killed in ${step}`)
      const killed = await world.dagger(["call", "--source", world.source, "release"], (line, kill) => {
        if (line.startsWith(`${step}: started`)) setTimeout(kill, 150)
      })
      expect(killed.code).toBe(137)
      const version = /^version +(\S+)$/m.exec(await world.release())?.[1] as string
      expect(await world.runningVersion()).toBe(version)
      expect((await world.remoteTags())[`v${version}`]).toBe(commit)
      const images = await world.images()
      expect(images[version]).toBe(images[commit])
    })
  }
})

describe("mistakes get an error that says what to do", () => {
  const mistake = async (
    call: (module: EcsRelease) => Promise<unknown>,
    settings: Partial<EcsRelease>,
    message: RegExp,
  ) => {
    const error = await world.run(call, settings).then(String, String)
    expect(error).toMatch(message)
    expect(error).toContain("→ ")
  }

  test("on standard error, without a stack trace", async () => {
    const { code, stdout, stderr } = await world.call("--dockerfile", "Nope", "build")
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toMatch(/There is no Nope in the build context[\s\S]*→ /)
    expect(stderr).not.toMatch(/^ +at .*\(/m)
  })

  test("a dirty work tree", async () => {
    await world.pushCommit("fix: one more")
    writeFileSync(join(world.source, "app/hello_world.py"), "changed")
    const changes = /work tree has uncommitted changes[\s\S]*app\/hello_world\.py/
    await mistake(module => module.release(), {}, changes)
    world.git("checkout", "-q", "app")
  })

  test("no repository", async () => {
    const folder = dag.host().directory(join(world.source, "app"))
    await expect(new EcsRelease(folder).version()).rejects.toThrow(/not a git repository[\s\S]*--source/)
  })

  test("an endpoint that does not answer", () => {
    const awsEndpoint = dag.host().service([{ backend: 1, frontend: 1 }])
    return mistake(module => module.status(), { awsEndpoint }, /:1\b/)
  })

  test("wrong credentials", () => {
    const awsAccessKeyId = dag.setSecret("wrong", "AKIAWRONGWRONGWRONG1")
    return mistake(module => module.status(), { awsAccessKeyId }, /AWS does not know this access key/)
  })

  test("a service that does not exist", () =>
    mistake(module => module.release(), { service: "nope" }, /nope/))

  test("a remote that nobody may push to", () =>
    mistake(module => module.release(), { gitToken: undefined }, /cannot be claimed[\s\S]*--git-token/))
})

test("a second app, of another language, another Dockerfile and other stages, is released by arguments alone", async () => {
  world.commit("feat: a service in Perl\n\nRelease-As: 5.0.0", {
    "perl/server.pl": `use IO::Socket::INET; $| = 1; $SIG{TERM} = sub { exit 0 };
my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;
while (my $c = $s->accept) { my $line = <$c>; while (<$c>) { last if /^\\r?$/ }
  my $b = $line =~ m{/version} ? qq({"version": "$ENV{APP_VERSION}"}) : "perl\\n";
  print $c "HTTP/1.0 200 OK\\r\\nContent-Length: @{[length $b]}\\r\\n\\r\\n$b"; close $c }
`,
    "perl/Containerfile": `ARG BASE=public.ecr.aws/docker/library/debian:bookworm-slim
FROM \${BASE} AS code
WORKDIR /srv
COPY server.pl .
FROM code AS check
RUN perl -c server.pl
FROM code AS final
USER 65534
CMD ["perl", "server.pl"]
`,
  })
  await world.push("main")
  const settings = {
    context: "perl",
    dockerfile: "Containerfile",
    testTarget: "check",
    runtimeTarget: "final",
    path: "perl",
    tagPrefix: "perl/",
  }
  expect(await world.run(module => module.release(), settings)).toMatch(
    /^completed: hello\/hello runs 5\.0\.0/,
  )
  expect(await world.runningVersion()).toBe("5.0.0")
})
