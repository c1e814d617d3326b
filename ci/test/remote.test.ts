import { expect, test } from "vitest"
import { remoteUrl } from "../src/remote.js"

test.each([
  ["https://github.com/o/r.git", "https://github.com/o/r.git"],
  ["https://user:token@github.com/o/r.git", "https://github.com/o/r.git"],
  ["git@github.com:o/r.git", "https://github.com/o/r.git"],
  ["github.com:o/r.git", "https://github.com/o/r.git"],
  ["ssh://git@gitlab.example.com:2222/o/r.git", "https://gitlab.example.com/o/r.git"],
  ["http://127.0.0.1:8080/r.git", "http://127.0.0.1:8080/r.git"],
  ["file:///srv/r.git", undefined],
  ["/srv/r.git", undefined],
  ["../r.git", undefined],
  ["", undefined],
])("%j is reached at %j", (address, url) => expect(remoteUrl(address)).toBe(url))

test.each([
  ["git@github.com:o/r.git", "http://host:99/o/r.git"],
  ["https://github.com/o/r.git", "http://host:99/o/r.git"],
  ["/r.git", "http://host:99/r.git"],
])("behind an endpoint only the path of %j counts", (address, url) =>
  expect(remoteUrl(address, "http://host:99")).toBe(url),
)
