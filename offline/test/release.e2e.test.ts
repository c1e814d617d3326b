import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { dockerEnv } from "../machine/docker.js"
import { TestWorld } from "./release.world.js"

/** One repository and one world, whose releases follow each other. */
let world: TestWorld
let first: string

beforeAll(() => {
  world = new TestWorld()
})
afterAll(() => world.remove(), 60_000)

const docker = async (...args: string[]) => {
  const { docker } = await world.up()
  return execFileSync(docker.cli, args, { env: { ...process.env, ...dockerEnv(docker) } }).toString()
}

describe("a commit to a running service", { timeout: 300_000 }, () => {
  test("the first release makes 0.1.0 live", async () => {
    const { code, stdout, stderr } = await world.call("release")
    expect(code, stderr).toBe(0)
    first = world.git("rev-parse", "HEAD")
    expect(stdout).toMatch(/^completed: hello\/hello runs 0\.1\.0/)
    for (const line of [
      /^version +0\.1\.0$/m,
      new RegExp(`^commit +${first}$`, "m"),
      /^url +http:\/\/localhost:\d+\/$/m,
    ]) {
      expect(stdout).toMatch(line)
    }
    expect(await world.runningVersion()).toBe("0.1.0")
    const page = await fetch((await world.up()).emulator.appUrl)
    expect(await page.text()).toContain("Hello from CI/CD!")
  })

  test("git, registry, image and service tell the same version", async () => {
    const images = await world.images()
    const digest = images["0.1.0"] as string
    expect(digest).toMatch(/^sha256:/)
    expect(images[first]).toBe(digest)
    expect(await world.remoteTags()).toEqual({ "v0.1.0": first })
    const { taskDefinition, tags } = await world.service()
    const app = taskDefinition?.containerDefinitions?.find(({ name }) => name === "app")
    expect(app?.image).toMatch(new RegExp(`@${digest}$`))
    expect(app?.environment).toContainEqual({ name: "APP_VERSION", value: "0.1.0" })
    expect(tags).toMatchObject({ "ecs-release:version": "0.1.0", "ecs-release:commit": first })
    const [{ Config: config }] = JSON.parse(await docker("image", "inspect", app?.image as string))
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.version": "0.1.0",
      "org.opencontainers.image.revision": first,
      "org.opencontainers.image.created": world.git("log", "-1", "--format=%cI"),
    })
    expect(config.User).toBe("65532:65532")
    expect(config.Healthcheck).toBeDefined()
    expect((await docker("run", "--rm", app?.image as string, "--version")).trim()).toBe("0.1.0")
  })

  test("no secret is in the output, in the image or in its history", async () => {
    const { emulator, git } = await world.up()
    const { AWS_SECRET_ACCESS_KEY: key, AWS_SESSION_TOKEN: session } = emulator.env
    const { stdout, stderr } = await world.call("release")
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
    const { code, stdout } = await world.call("release")
    expect(code).toBe(0)
    expect(stdout).toMatch(/^unchanged: hello\/hello runs 0\.1\.0 already/)
    expect([await world.images(), await world.remoteTags(), (await world.service()).taskDefinition]).toEqual(
      before,
    )
  })

  test("a docs commit releases nothing, a fix the next patch, a feature the next minor", async () => {
    world.commit("docs: explain", { "README.md": "explained" })
    const nothing = await world.call("release")
    expect(nothing).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^nothing to release since 0\.1\.0/),
    })
    expect(await world.runningVersion()).toBe("0.1.0")
    world.commit("fix: mend")
    expect((await world.call("release")).stdout).toMatch(/^completed: .* runs 0\.1\.1/)
    world.commit("feat: more")
    expect((await world.call("version")).stdout).toBe("0.2.0")
    expect((await world.call("release")).stdout).toMatch(/^completed: .* runs 0\.2\.0/)
    expect(await world.runningVersion()).toBe("0.2.0")
  })

  test("a commit that is older than what is released deploys nothing", async () => {
    world.git("checkout", "-q", "--detach", (await world.remoteTags())["v0.1.1"] as string)
    const { code, stdout } = await world.call("release")
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^superseded: .* is older than 0\.2\.0/)])
    expect(await world.runningVersion()).toBe("0.2.0")
    world.git("checkout", "-q", "main")
  })

  test("a failing app test stops the release before anything is claimed or pushed", async () => {
    const before = [await world.images(), await world.remoteTags()]
    world.commit("feat: break", {
      "app/test_break.py":
        "import unittest\nclass T(unittest.TestCase):\n  def test(self): self.fail('on purpose')\n",
    })
    const { code, stderr } = await world.call("release")
    expect(code).not.toBe(0)
    expect(stderr).toContain("on purpose")
    expect([await world.images(), await world.remoteTags()]).toEqual(before)
    world.git("reset", "-q", "--hard", "HEAD~1")
  })

  for (const step of ["test", "claim", "push", "deploy"]) {
    test(`killed in the step ${step} and run again, a release ends right`, async () => {
      const commit = world.commit(`fix: killed in ${step}`)
      const killed = await world.dagger(["call", "--source", world.source, "release"], (line, kill) => {
        if (line.startsWith(`${step}: started`)) setTimeout(kill, 150)
      })
      expect(killed.code).toBe(137)
      const { code, stdout, stderr } = await world.call("release")
      expect(code, stderr).toBe(0)
      const version = /^version +(\S+)$/m.exec(stdout)?.[1] as string
      expect(await world.runningVersion()).toBe(version)
      expect((await world.remoteTags())[`v${version}`]).toBe(commit)
      const images = await world.images()
      expect(images[version]).toBe(images[commit])
    })
  }
})

describe("mistakes get an error that says what to do", { timeout: 120_000 }, () => {
  const mistake = async (words: string[], message: RegExp) => {
    const { code, stdout, stderr } = await world.call(...words)
    expect(code).toBe(1)
    expect(stdout).toBe("")
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/→ /)
    expect(stderr).not.toMatch(/^ +at .*\(/m)
  }

  test("a dirty work tree", async () => {
    world.commit("fix: one more")
    writeFileSync(join(world.source, "app/hello_world.py"), "changed")
    await mistake(["release"], /work tree has changes[\s\S]*app\/hello_world\.py[\s\S]*git stash/)
    world.git("checkout", "-q", "app")
  })

  test("no Dockerfile", () =>
    mistake(["--dockerfile", "Nope", "build"], /There is no Nope in the build context/))

  test("no repository", async () => {
    const { code, stderr } = await world.dagger(["call", "--source", join(world.source, "app"), "version"])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/not a git repository[\s\S]*--source/)])
  })

  test("an endpoint that does not answer", async () => {
    Object.assign(world.environment, (await world.up()).emulator.env)
    await mistake(["--aws-endpoint", "tcp://127.0.0.1:1", "status"], /127\.0\.0\.1:1/)
  })

  test("wrong credentials", async () => {
    const { emulator } = await world.up()
    world.environment.WRONG = "AKIAWRONGWRONGWRONG1"
    const wrong = ["--aws-endpoint", `tcp://127.0.0.1:${emulator.port}`, "--aws-access-key-id", "env://WRONG"]
    await mistake([...wrong, "status"], /AWS does not know this access key/)
  })

  test("a service that does not exist", () => mistake(["--service", "nope", "release"], /nope/))

  test("a remote that nobody may push to", () =>
    mistake(["--git-token", "env://NO_SUCH_TOKEN", "release"], /cannot be claimed[\s\S]*--git-token/))
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
  const flags = {
    context: "perl",
    dockerfile: "Containerfile",
    "test-target": "check",
    "runtime-target": "final",
    path: "perl",
    "tag-prefix": "perl/",
  }
  const { code, stdout, stderr } = await world.call(
    ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v]),
    "release",
  )
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^completed: hello\/hello runs 5\.0\.0/)
  expect(await world.runningVersion()).toBe("5.0.0")
}, 300_000)
