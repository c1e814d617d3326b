// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles and commands
import { describe, expect, test } from "vitest"
import { buildError, rewriteDockerfile } from "../session/build.js"
import { ExecError } from "../session/errors.js"
import { directoryEntry, type Entry, glob, Manifest, matcher } from "../session/manifest.js"
import { decodeId, encodeId, Recipe } from "../session/recipe.js"
import { normalised, registryOf, splitTag } from "../session/registry.js"
import { expand, LineLog, Scrubber } from "../session/text.js"

describe("Dockerfiles", () => {
  const rewritten = (lines: string[], args: Record<string, string> = {}) =>
    rewriteDockerfile(lines.join("\n"), args, async reference => `local(${reference})`).then(text =>
      text.split("\n"),
    )

  test("images in FROM, stages left alone", async () => {
    const text = [
      "FROM python:3.12@sha256:abc AS Base",
      "FROM --platform=$BUILDPLATFORM node as n",
      "FROM base",
      "FROM scratch",
      "from n",
    ]
    expect(await rewritten(text)).toEqual([
      ...["FROM local(python:3.12@sha256:abc) AS Base", "FROM --platform=$BUILDPLATFORM local(node) as n"],
      ...["FROM base", "FROM scratch", "from n"],
    ])
  })

  test("variables in FROM: defaults before the first FROM, and build arguments over them", async () => {
    const text = ["ARG V=1", 'ARG I="py:${V}"', "ARG NONE", "FROM ${I}", "ARG V=9", "FROM x:$V${NONE:-d}"]
    expect((await rewritten(text))[3]).toBe("FROM local(py:1)")
    expect((await rewritten(text, { V: "2" }))[5]).toBe("FROM local(x:2d)")
    expect((await rewritten(text, { I: "mine" }))[3]).toBe("FROM local(mine)")
  })

  test("COPY --from and RUN --mount, on lines that go on too", async () => {
    const text = [
      ...[
        "FROM a AS one",
        "COPY --from=one /x /y",
        "COPY --chown=1 --from=img:2 /x /y",
        "COPY --from=0 /x /y",
      ],
      ...["RUN --mount=type=bind,from=img,target=/i \\", "  echo --from=left FROM alone", "# FROM comment"],
    ]
    expect(await rewritten(text)).toEqual([
      ...[
        "FROM local(a) AS one",
        "COPY --from=one /x /y",
        "COPY --chown=1 --from=local(img:2) /x /y",
        "COPY --from=0 /x /y",
      ],
      ...[
        "RUN --mount=type=bind,from=local(img),target=/i \\",
        "  echo --from=left FROM alone",
        "# FROM comment",
      ],
    ])
  })

  test("the syntax line goes, the escape line stays", async () => {
    expect(await rewritten(["# syntax=docker/dockerfile:1", "# escape=`", "FROM a"])).toEqual([
      "# escape=`",
      "FROM local(a)",
    ])
  })
})

describe("failed builds", () => {
  test("a RUN that failed, its output with it", () => {
    const lines = [
      ...["#6 [test 2/2] RUN sh -c 'x'", "#6 0.301 one", "#5 0.1 other", "#6 0.400 two"],
      ...[
        "#6 ERROR: executor failed running [/bin/sh -c sh -c 'x']: exit code: 2",
        "------",
        "executor failed running",
      ],
    ]
    const error = buildError(lines, "")
    expect(error.message).toBe("failed to clone built container state: exit code: 2")
    expect((error as ExecError).extensions).toEqual({
      ...{
        _type: "EXEC_ERROR",
        cmd: ["/bin/sh", "-c", "sh -c 'x'"],
        exitCode: 2,
        stdout: "one\ntwo",
        stderr: "",
      },
    })
  })

  test("the words of newer clients", () => {
    const error = buildError(
      ['#6 ERROR: process "/bin/sh -c exit 3" did not complete successfully: exit code: 3'],
      "",
    )
    expect((error as ExecError).extensions).toMatchObject({ exitCode: 3, cmd: ["/bin/sh", "-c", "exit 3"] })
  })

  test("anything else is reported as Docker reports it", () => {
    const error = buildError(["#4 DONE", 'failed to compute cache key: "/x" not found: not found'], "exit 1")
    expect(error).not.toBeInstanceOf(ExecError)
    expect(error.message).toContain('"/x" not found')
    expect(buildError([], "Command failed").message).toBe("Command failed")
  })
})

describe("directories", () => {
  const file = (path: string, sha = "1"): Entry => ({
    path,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    sha,
    size: 1,
  })
  const paths = (entries: readonly Entry[]) => new Manifest(entries).entries.map(entry => entry.path)

  test("are equal for equal content, in any order, with parents listed or not", () => {
    const one = new Manifest([file("b/c"), file("a")])
    expect(new Manifest([file("a"), directoryEntry("b"), file("b/c")]).digest).toBe(one.digest)
    expect(new Manifest([file("a", "2"), file("b/c")]).digest).not.toBe(one.digest)
    expect(paths([file("a.b"), file("a/b"), file("a/b.c")])).toEqual(["a", "a/b", "a/b.c", "a.b"])
  })

  test("a file in place of a directory, and the other way round", () => {
    const dir = new Manifest([file("a/b"), file("c")])
    expect(paths(dir.with("", [file("a")]))).toEqual(["a", "c"])
    expect(paths(dir.with("c", [file("d")]))).toEqual(["a", "a/b", "c", "c/d"])
    expect(paths(dir.without("a"))).toEqual(["c"])
    expect(paths(dir.with("../../x", [file("y")]))).toEqual(["a", "a/b", "c", "x", "x/y"])
  })

  test("links are followed within the directory", () => {
    const link = (path: string, target: string): Entry => ({
      ...directoryEntry(path),
      type: "symlink",
      target,
    })
    const dir = new Manifest([
      file("real/f"),
      link("l", "real"),
      link("out", "../../real/f"),
      link("loop", "loop"),
    ])
    expect(dir.find("l/f")?.path).toBe("real/f")
    expect(dir.find("out")?.path).toBe("real/f")
    expect(() => dir.find("loop")).toThrow("too many levels")
    expect(paths(dir.with("l", [file("new")]))).toContain("real/new")
  })

  test("patterns as in .dockerignore", () => {
    const dir = new Manifest(
      ["a.txt", "sub/b.md", "sub/c.txt", "node_modules/x/y", ".git/HEAD"].map(path => file(path)),
    )
    const kept = (include: string[], exclude: string[]) =>
      dir
        .filter(include, exclude)
        .filter(entry => entry.type === "file")
        .map(entry => entry.path)
    expect(kept(["*.txt"], [])).toEqual(["a.txt"])
    expect(kept([], ["**/*.txt"])).toEqual([".git/HEAD", "node_modules/x/y", "sub/b.md"])
    expect(kept([], ["node_modules/", ".git"])).toEqual(["a.txt", "sub/b.md", "sub/c.txt"])
    expect(kept(["sub"], ["sub/*", "!sub/c.txt"])).toEqual(["sub/c.txt"])
    expect(dir.filter(["*.txt"], []).map(entry => entry.path)).toEqual(["a.txt"])
    expect(matcher(["{a,b}"])("a")).toBe(false)
    expect(glob("**/*.md")("sub/b.md")).toBe(true)
  })
})

describe("IDs", () => {
  const from = new Recipe("Container", "from", { address: "x" }, new Recipe("Container", "container", {}))

  test("hold the chain, shared parts once", () => {
    const list = new Recipe(
      "Container",
      "withFiles",
      { sources: [from, from], o: { z: from, a: null } },
      from,
    )
    const back = decodeId(encodeId(list))
    expect(back.digest).toBe(list.digest)
    expect(back).toEqual(list)
    expect(JSON.parse(Buffer.from(encodeId(list), "base64").toString())).toHaveLength(3)
  })

  test("the order of arguments doesn't count, their values do", () => {
    expect(new Recipe("F", "f", { a: 1, b: 2 }).digest).toBe(new Recipe("F", "f", { b: 2, a: 1 }).digest)
    expect(new Recipe("F", "f", { a: 1 }).digest).not.toBe(new Recipe("F", "f", { a: "1" }).digest)
  })

  test.each([
    ["bogus", "holds no chain"],
    ["", "holds no chain"],
    [Buffer.from("no JSON").toString("base64"), "holds no chain"],
    [Buffer.from('[["A","b",7,{}]]').toString("base64"), "holds no chain"],
  ])("%j is not one", (id, message) => expect(() => decodeId(id)).toThrow(message))

  test("another type's is refused", () => {
    expect(() => decodeId(encodeId(from), "Directory")).toThrow(
      "expected the ID of a Directory, got that of a Container",
    )
  })
})

describe("text", () => {
  test("secrets: longest first, without white space around, none that is empty", () => {
    const scrubber = new Scrubber(["abc", "abcdef\n", "", "  "])
    expect(scrubber.text("abcdef abc\nabcdefabc")).toBe("*** ***\n******")
    expect(new Scrubber([]).text("x")).toBe("x")
  })

  test("lines come whole, across parts and characters, without secrets of several lines", () => {
    const lines: string[] = []
    const log = new LineLog(line => lines.push(line), new Scrubber(["line-one\nline-two"]))
    for (const byte of Buffer.from("a €\r\nline-one\nxline-two\nend")) log.take(Buffer.from([byte]))
    log.end()
    expect(lines).toEqual(["a €", "***", "x***", "end"])
  })

  test("variables", () => {
    expect(expand("$A ${A}b $B $ ${}", name => (name === "A" ? "1" : undefined))).toBe("1 1b  $ ")
  })

  test("addresses", () => {
    expect([
      registryOf("debian:1"),
      registryOf("localhost/x"),
      registryOf("a/b"),
      registryOf("h:5/x:1"),
    ]).toEqual([...["docker.io", "localhost", "docker.io", "h:5"]])
    expect([
      normalised("debian:1"),
      normalised("a/b"),
      normalised("docker.io/x"),
      normalised("h:5/x"),
    ]).toEqual([...["docker.io/library/debian:1", "docker.io/a/b", "docker.io/library/x", "h:5/x"]])
    expect([splitTag("h:5/x"), splitTag("h:5/x:1")]).toEqual([
      { repository: "h:5/x" },
      { repository: "h:5/x", tag: "1" },
    ])
  })
})
