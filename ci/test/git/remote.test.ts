import { expect, test } from "vitest"
import { echoes, refusePlainHttp, remoteUrl } from "../../src/git/remote.js"

test.each([
  ["https://github.com/o/r.git", "https://github.com/o/r.git"],
  ["https://user:token@github.com/o/r.git", "https://github.com/o/r.git"],
  ["git@github.com:o/r.git", "https://github.com/o/r.git"],
  ["github.com:o/r.git", "https://github.com/o/r.git"],
  ["ssh://git@gitlab.example.com:2222/o/r.git", "https://gitlab.example.com/o/r.git"],
  ["http://127.0.0.1:8080/r.git", "http://127.0.0.1:8080/r.git"],
  ["git@github.com:/o/r.git", "https://github.com/o/r.git"],
  ["https://github.com/o/r.git?token=x#y", "https://github.com/o/r.git"],
  ["ssh://git@ssh.github.com:443/o/r.git", "https://github.com/o/r.git"],
  ["git@altssh.gitlab.com:g/s/r.git", "https://gitlab.com/g/s/r.git"],
  ["git@ssh.dev.azure.com:v3/org/proj/repo", "https://dev.azure.com/org/proj/_git/repo"],
  ["ssh://git@bitbucket.example.com:7999/proj/repo.git", "https://bitbucket.example.com/scm/proj/repo.git"],
  ["[git@host.example:2222]:a/b.git", "https://host.example/a/b.git"],
  ["codecommit::eu-west-1://profile@repo", "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/repo"],
  ["codecommit://repo", undefined],
  ["C:/Users/me/r.git", undefined],
  ["C:\\Users\\me\\r.git", undefined],
  ["file:///srv/r.git", undefined],
  ["/srv/r.git", undefined],
  ["../r.git", undefined],
  ["", undefined],
])("%j is reached at %j", (address, url) => expect(remoteUrl(address)).toBe(url))

test.each([
  ["git@github.com:o/r.git", "http://host:99/o/r.git"],
  ["https://github.com/o/r.git", "http://host:99/o/r.git"],
  ["git@host:/srv/git/r.git", "http://host:99/srv/git/r.git"],
  ["https://github.com//evil/r.git", "http://host:99/evil/r.git"],
  ["//evil/r.git", "http://host:99/evil/r.git"],
  ["http://[bad/r.git", "http://host:99/http://[bad/r.git"],
  ["/r.git", "http://host:99/r.git"],
])("behind an endpoint only the path of %j counts", (address, url) =>
  expect(remoteUrl(address, "http://host:99")).toBe(url),
)

test("a token is refused for plain HTTP, with what to pass", () => {
  expect(() => refusePlainHttp("http://git.example.com/r.git")).toThrow(
    /not sent to http:\/\/git\.example\.com[\s\S]*→ .*--git-remote.*--git-endpoint/,
  )
  expect(() => refusePlainHttp("https://git.example.com/r.git")).not.toThrow()
})

test("every form in which a server may echo a token is known as a secret", () => {
  const token = "glpat+/tok=en?é"
  const forms = echoes(token, "oauth2")
  const base64 = (text: string) => Buffer.from(text).toString("base64")
  for (const echo of [
    encodeURIComponent(token),
    base64(token),
    base64(`oauth2:${token}`),
    Buffer.from(token).toString("base64url"),
    encodeURIComponent(base64(`oauth2:${token}`)),
    encodeURIComponent(token).replace(/%../g, it => it.toLowerCase()),
  ]) {
    expect(
      forms.some(form => echo.includes(form) && echo.replace(form, "").replace(/=|%3D/g, "") === ""),
    ).toBe(true)
  }
  expect(forms).not.toContain(token)
})
