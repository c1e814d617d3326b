import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Asked, BASE, newState, removeStates, start } from "./session.help.js"

let session: Asked
let files: string

beforeAll(async () => {
  session = await start(newState())
  files = await session.leaf(
    '{directory{withNewFile(path:"a.txt",contents:"A"){withNewFile(path:"sub/run",contents:"#!/bin/sh\\necho ran\\n",permissions:493){id}}}}',
  )
})

afterAll(async () => {
  await session.close()
  await removeStates()
})

const on = (chain: string) => `{container{from(address:"${BASE}"){${chain}}}}`
const sh = (script: string, then: string) => `withExec(args:["sh","-c",${JSON.stringify(script)}]){${then}}`

test("what is written to a mounted directory lives on, in that branch alone", {
  timeout: 60_000,
}, async () => {
  const write = (text: string, then: string) =>
    sh(`echo ${text} > /m/a.txt; chown 7:8 /m/a.txt; rm -r /m/sub; mkdir /m/new`, then)
  const read = sh("cat /m/a.txt; stat -c %u:%g /m/a.txt; ls /m", "stdout")
  const branch = (text: string) =>
    on(`withMountedDirectory(path:"/m",source:"${files}"){${write(text, read)}}`)
  expect(await session.leaf(branch("one"))).toBe("one\n7:8\na.txt\nnew\n")
  expect(await session.leaf(branch("two"))).toBe("two\n7:8\na.txt\nnew\n")
  const fresh = on(
    `withMountedDirectory(path:"/m",source:"${files}"){${sh("/m/sub/run; ls /m; stat -c %u /m/a.txt", "stdout")}}`,
  )
  expect(await session.leaf(fresh)).toBe("ran\na.txt\nsub\n0\n")
})

test("the same for a user who can't write into the daemon's folders", async () => {
  const user = vi.spyOn(process, "getuid").mockReturnValue(1000)
  const read = sh("stat -c %u:%g /m/a.txt; cat /m/big | tr -d x; /m/sub/run", "stdout")
  const write = sh(
    "chown 7:8 /m/a.txt; ln /m/a.txt /m/hard; head -c 2000000 /dev/zero | tr '\\0' x > /m/big",
    read,
  )
  expect(await session.leaf(on(`withMountedDirectory(path:"/m",source:"${files}"){${write}}`))).toBe(
    "7:8\nran\n",
  )
  user.mockRestore()
})

test("a mounted directory is not part of the image", async () => {
  const chain = `withMountedDirectory(path:"/m",source:"${files}"){${sh("echo x > /m/x; echo y > /y", 'withoutMount(path:"/m"){directory(path:"/m"){entries}}')}}`
  expect(await session.leaf(on(chain))).toEqual([])
})

test("files put on a mounted path go into the mount", async () => {
  const chain = `withMountedDirectory(path:"/m",source:"${files}"){withNewFile(path:"/m/sub/n",contents:"N"){withoutFile(path:"/m/a.txt"){directory(path:"/m"){glob(pattern:"**")}}}}`
  expect(await session.leaf(on(chain))).toEqual(["sub/", "sub/n", "sub/run"])
})

test("a cache volume is shared by commands and kept", async () => {
  const cache = await session.leaf(`{cacheVolume(key:"test-${Date.now()}"){id}}`)
  const with_ = (script: string) =>
    on(`withMountedCache(path:"/c",cache:"${cache}"){${sh(script, "stdout")}}`)
  expect(await session.leaf(with_("ls /c; echo 1 > /c/one"))).toBe("")
  expect(await session.leaf(with_("ls /c; echo 2 > /c/two"))).toBe("one\n")
  await session.session.idle()
  await session.session.docker.json("DELETE", `/volumes/${(await volumes()).at(-1)}`)
})

async function volumes(): Promise<string[]> {
  const { Volumes } = await session.session.docker.json("GET", "/volumes")
  const own = (Volumes as { Name: string; CreatedAt: string }[]).filter(one =>
    one.Name.includes(session.session.place),
  )
  return own.sort((a, b) => (a.CreatedAt < b.CreatedAt ? -1 : 1)).map(one => one.Name)
}

test("edits keep what directories below are, and follow links", async () => {
  const chain = `withNewFile(path:"/tmp/x",contents:"X"){withNewFile(path:"/root/r",contents:""){withNewFile(path:"/bin/tool",contents:"#!/bin/sh\\necho tool",permissions:493){${sh("stat -c %a /tmp /root /usr; ls /bin | grep -c .; tool; readlink /bin", "stdout")}}}}`
  const lines: string[] = (await session.leaf(on(chain))).trim().split("\n")
  expect(lines.slice(0, 3)).toEqual(["1777", "700", "755"])
  expect(Number(lines[3])).toBeGreaterThan(50)
  expect(lines.slice(4)).toEqual(["tool", "usr/bin"])
})

test("files that were added can be removed; files of the image can't, and the error says so", {
  timeout: 60_000,
}, async () => {
  const put = `withDirectory(path:"/d",source:"${files}"){withoutFile(path:"/not/there")`
  const out = `${put}{withoutDirectory(path:"/d/sub"){directory(path:"/d"){entries}}}}`
  expect(await session.leaf(on(out))).toEqual(["a.txt"])
  await expect(session.leaf(on('withoutFile(path:"/etc/passwd"){sync}'))).rejects.toThrow(
    "/etc/passwd is in the image or was made by a command",
  )
})

test("a container of files alone", async () => {
  expect(
    await session.leaf(
      `{container{withDirectory(path:"/",source:"${files}"){rootfs{directory(path:"sub"){entries}}}}}`,
    ),
  ).toEqual(["run"])
})

test("output as it is: large, with NUL bytes, with bytes that are not UTF-8", {
  timeout: 120_000,
}, async () => {
  expect(await session.leaf(on(sh("printf 'a\\000b\\377\\342\\202c'", "stdout")))).toBe("a\0b\ufffd\ufffdc")
  const large: string = await session.leaf(on(sh("head -c 20000000 /dev/zero | tr '\\0' x", "stdout")))
  expect(large.length).toBe(20_000_000)
  const both = await session.ask(on(sh("echo 1; echo 2 >&2; echo 3", "stdout stderr combinedOutput")))
  const { combinedOutput, ...each } = both.data.container.from.withExec
  expect(each).toEqual({ stdout: "1\n3\n", stderr: "2\n" })
  expect(combinedOutput.split("\n").sort()).toEqual(["", "1", "2", "3"])
})

test("a folder of the host as input, and a directory exported to it", async () => {
  const folder = newState()
  mkdirSync(join(folder, "in/.git"), { recursive: true })
  writeFileSync(join(folder, "in/.git/HEAD"), "ref", { mode: 0o600 })
  symlinkSync(".git/HEAD", join(folder, "in/link"))
  const read = `host{directory(path:"${folder}/in")`
  expect(await session.leaf(`{${read}{glob(pattern:"**")}}}`)).toEqual([".git/", ".git/HEAD", "link"])
  expect(await session.leaf(`{${read}{file(path:"link"){contents}}}}`)).toBe("ref")
  expect(await session.leaf(`{${read}{export(path:"${folder}/out")}}}`)).toBe(join(folder, "out"))
  expect(readFileSync(join(folder, "out/link"), "utf8")).toBe("ref")
  expect(statSync(join(folder, "out/.git/HEAD")).mode & 0o777).toBe(0o600)
  await expect(session.leaf(`{host{directory(path:"${folder}/none"){entries}}}`)).rejects.toThrow(
    "no such file",
  )
})

test("the SDK's own client: objects by ID, enumerations, a failing command", {
  timeout: 60_000,
}, async () => {
  process.env.DAGGER_SESSION_PORT = `${session.port}`
  process.env.DAGGER_SESSION_TOKEN = session.token
  const { connection, dag, ReturnType } = await import("@dagger.io/dagger")
  await connection(async () => {
    const source = await dag.directory().withNewFile("x", "1").sync()
    const base = await dag.container().from(BASE).withDirectory("/d", source).sync()
    expect(await base.withExec(["cat", "/d/x"]).stdout()).toBe("1")
    const ports = await base.withExposedPort(80).exposedPorts()
    expect(await ports[0]?.port()).toBe(80)
    expect(await base.withExec(["false"], { expect: ReturnType.Any }).exitCode()).toBe(1)
    const failing = base.withExec(["sh", "-c", "echo oh >&2; exit 5"]).stdout()
    await expect(failing).rejects.toMatchObject({ exitCode: 5, stderr: "oh" })
  })
})
