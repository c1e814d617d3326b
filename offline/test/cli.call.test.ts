import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { copyOf, dagger } from "./cli.help.js"

// What a real engine and its command line do with such a module was recorded; each test here is one of those records.
let module: ReturnType<typeof copyOf>
/** A folder outside the module: what is written there does not change the module, whose constructor would run again. */
let work: string
const environment = { HELLO_TOKEN: "s3cr3t-value", AWS_PROFILE: "mine" }
const call = (...args: string[]) => dagger(module.dir, ["-s", "call", ...args], environment)
const callFrom = (cwd: string, ...args: string[]) =>
  dagger(cwd, ["-s", "-m", module.dir, "call", ...args], environment)

describe("dagger call", () => {
  beforeAll(() => {
    module = copyOf("hello")
    work = mkdtempSync(join(tmpdir(), "work-"))
  })
  afterAll(() => {
    module.remove()
    rmSync(work, { recursive: true })
  })

  it("prints a string as it is, without a newline, with the flags and defaults of code and .env", async () => {
    const { stdout, errors, exitCode } = await call("greet", "--count", "2", "--loudness=high")
    expect({ stdout, errors, exitCode }).toEqual({
      stdout: "hello world from xx (high)\nhello world from xx (high)",
      errors: "",
      exitCode: 0,
    })
    expect((await call("--region=yy", "greet", "--name=you", "--loud")).stdout).toBe(
      "HELLO YOU FROM YY (LOW)",
    )
  })

  it("shows the user's defaults, the sources of secrets, and the module's output", async () => {
    const loud = await dagger(module.dir, ["call", "greet"], environment)
    expect(loud.stderr).toContain('user default: hello(region="xx")\n')
    expect(loud.stderr).toContain('user default: hello(token="env://HELLO_TOKEN")\n')
    expect(loud.stderr).toContain('user default: hello.greet(name="world")\n')
    expect(loud.stderr).not.toContain("s3cr3t")
    expect(loud.stderr).toContain("greeting world\n")
    expect(loud.stderr).toContain("on standard error\n")
    expect(loud.stdout).toBe("hello world from xx (low)")
  })

  it("prints nothing for void", async () => {
    expect(await call("nothing")).toMatchObject({ stdout: "", exitCode: 0 })
  })

  it("prints an object's id, and each of a list's", async () => {
    expect((await call("release")).stdout).toMatch(/^HelloRelease@xxh3:[0-9a-f]{16}\n$/)
    expect((await call("releases")).stdout).toMatch(/^(- HelloRelease@xxh3:[0-9a-f]{16}\n){2}$/)
  })

  it("goes on into fields and functions of the returned object", async () => {
    expect((await call("release", "version")).stdout).toBe("1.2.3")
    expect((await call("--region=x", "release", "--version=9.9.9", "summary")).stdout).toBe("9.9.9 in x")
    expect((await call("releases", "summary")).stdout).toBe("1.0.0 in xx\n1.1.0 in xx\n")
  })

  it("prints lists, numbers and booleans", async () => {
    expect((await call("list", "--items=x,y", "--items", "z")).stdout).toBe("x\ny\nz\n")
    expect((await call("sum", "--numbers=1,2", "--factor=1.5")).stdout).toBe("4.5")
    expect((await call("truth")).stdout).toBe("true")
    expect((await call("list", "-j")).stdout).toBe('[\n    "a",\n    "b"\n]\n')
  })

  it("ends with 1 and the error's message if a function throws", async () => {
    const { stdout, errors, exitCode } = await call("fail")
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 })
    expect(errors).toBe("Error: no commits: make one first\n")
  })

  it("ends with a failed command's own code and its output", async () => {
    const { stdout, errors, exitCode } = await call("bad-exec")
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 3 })
    expect(errors).toBe("Error: exit code: 3\nStdout:\nout\nStderr:\nerr\n")
  })

  it("handles wrong command lines as the real CLI does", async () => {
    const nope = await call("nope")
    expect(nope).toMatchObject({ stdout: "", exitCode: 1 })
    expect(nope.errors).toBe(
      'Error: unknown command "nope" for "dagger call"\nRun \'dagger call --help\' for usage.\n',
    )
    const flag = await call("release", "--nope")
    expect(flag.errors).toBe("Error: unknown flag: --nope\nRun 'dagger call release --help' for usage.\n")
    const missing = await call("text")
    expect(missing.errors).toBe(
      "Error: required flag(s) \"file\" not set\nRun 'dagger call text --help' for usage.\n",
    )
  })

  it("goes on into the core API's functions", async () => {
    expect((await call("base")).stdout).toMatch(/^Container@xxh3:[0-9a-f]{16}\n$/)
    expect((await call("base", "with-exec", "--args=echo,hi", "stdout")).stdout).toBe("hi\n")
    expect((await call("base", "directory", "--path=/etc/apt", "entries")).stdout).toContain(
      "sources.list.d/\n",
    )
    const bad = await call("base", "with-exec", "--args=sh,-c,exit 4", "stdout")
    expect(bad).toMatchObject({ stdout: "", exitCode: 4 })
    const fatal = await call("base", "with-exec", "--args=sh,-c,exit 128", "--expect=ANY", "exit-code")
    expect(fatal).toMatchObject({ stdout: "", exitCode: 128 })
    expect(fatal.errors).toBe("Error: exit code: 128\n")
  })

  it("saves what is asked for", async () => {
    const file = await callFrom(work, "base", "file", "--path=/etc/debian_version", "-o", "saved/version")
    expect(file.stdout).toBe("")
    expect(file.errors).toBe(`Saved to ${JSON.stringify(join(work, "saved/version"))}.\n`)
    expect(readFileSync(join(work, "saved/version"), "utf8")).toMatch(/^\d+/)
    const text = await callFrom(work, "greet", "-o", "saved/text")
    expect(text.stdout).toBe("hello world from xx (low)")
    expect(text.errors).toBe(`Saved output to ${JSON.stringify(join(work, "saved/text"))}.\n`)
    expect(readFileSync(join(work, "saved/text"), "utf8")).toBe(text.stdout)
    const path = join(work, "image.tar")
    expect((await callFrom(work, "base", "as-tarball", "export", "--path=image.tar")).stdout).toBe(path)
    expect(existsSync(path)).toBe(true)
  })

  it("gives the repository's root for defaultPath, without what is ignored", async () => {
    const { stdout } = await call("names")
    expect(stdout.split("\n")).toEqual(expect.arrayContaining([".git/", "ci/", "dagger.json"]))
    expect((await call("names", "--dir=ci")).stdout).toBe("package.json\nsrc/\n")
    expect((await call("names", "--dir=https://github.com/x/y")).errors).toContain("is remote: offline")
    const missing = await call("names", "--dir=nowhere")
    expect(missing.exitCode).toBe(1)
    expect(missing.errors).toMatch(
      /^Error: failed to get value for argument "dir": .*nowhere: no such file or directory/,
    )
  })

  it("injects the caller's repository, not the module's, if a Workspace is asked for", async () => {
    const caller = mkdtempSync(join(tmpdir(), "caller-"))
    try {
      mkdirSync(join(caller, ".git"))
      mkdirSync(join(caller, "inside"))
      writeFileSync(join(caller, "mine"), "")
      const words = ["-s", "-m", module.dir, "call", "around", "--find=mine"]
      const { stdout, exitCode } = await dagger(join(caller, "inside"), words)
      expect({ stdout, exitCode }).toEqual({ stdout: "inside/\nmine\n/mine\n", exitCode: 0 })
    } finally {
      rmSync(caller, { recursive: true })
    }
  })

  it("gives the module nothing of the user's environment", async () => {
    const names = (await call("environment")).stdout.split("\n")
    expect(names).toContain("DAGGER_SESSION_PORT")
    expect(names).not.toContain("HELLO_TOKEN")
    // Only what the stand-in itself sets.
    const own = ["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"]
    expect(names.filter(name => /^(AWS|GITHUB|npm)_/.test(name))).toEqual(own)
  })

  it("reads files", async () => {
    writeFileSync(join(work, "note.txt"), "a note\n")
    expect((await callFrom(work, "text", "--file=note.txt")).stdout).toBe("a note\n")
  })

  it("gives secrets from the environment, files and commands; an unset one fails when it is read", async () => {
    expect((await call("secret-length")).stdout).toBe("12")
    writeFileSync(join(work, "secret.txt"), "12345")
    const length = async (uri: string) => callFrom(work, "secret-length", `--of=${uri}`)
    expect((await length("file://secret.txt")).stdout).toBe("5")
    expect((await length("cmd://printf abc")).stdout).toBe("3")
    expect((await length("env://NOT_SET_AT_ALL")).stdout).toContain("secret env var not found")
    expect((await length("vault://x")).errors).toContain("offline, secrets from vault:// are not supported")
  })

  it("reaches a server of the host through a Service", async () => {
    const server = createServer((_, response) => response.end("from the host"))
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    try {
      expect((await call(`--endpoint=tcp://127.0.0.1:${port}`, "fetch")).stdout).toBe("from the host")
      const idle = await call(`--endpoint=tcp://127.0.0.1:${port}`, "fetch", "--start=false")
      expect(idle).toMatchObject({ stdout: "", exitCode: 1 })
    } finally {
      server.close()
    }
    const wrong = await call("--endpoint=http://127.0.0.1", "fetch")
    expect(wrong.errors).toContain("unsupported service address")
  })

  it("shows help on standard output without running anything", async () => {
    const { stdout, exitCode } = await call("release", "--help")
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      [
        "Releases.",
        "",
        "USAGE",
        "  dagger call release [arguments] <function>",
        "",
        "FUNCTIONS",
        "  summary   Version and region in one line.",
        "  version   The released version.",
        "",
        "ARGUMENTS",
        '      --version string   (default "1.2.3")',
        "",
        'Use "dagger call release [command] --help" for more information about a command.',
        "",
      ].join("\n"),
    )
    const wrong = await call("nope", "--help")
    expect(wrong.exitCode).toBe(1)
    expect(wrong.stdout).toMatch(/^\nCall one or more functions/)
  })
})
