import { dag, type Secret } from "@dagger.io/dagger"
import { afterAll, beforeEach, expect, test, vi } from "vitest"
import { buildSecrets } from "../../src/image/build-secrets.js"

const set = vi
  .spyOn(dag, "setSecret")
  .mockImplementation((name: string, plaintext: string) => ({ name, plaintext }) as unknown as Secret)
afterAll(() => set.mockRestore())

const secret = (uri: string, value?: string) =>
  ({
    uri: async () => uri,
    plaintext: async () => {
      if (value === undefined) throw new Error("secret env var not found")
      return value
    },
  }) as unknown as Secret

beforeEach(() => set.mockClear())

test("each has the id of its source", async () => {
  await buildSecrets([secret("env://NPM_TOKEN", "a"), secret("file://home/me/.npmrc", "b")], [])
  expect(set.mock.calls).toEqual([
    ["NPM_TOKEN", "a"],
    [".npmrc", "b"],
  ])
})

test("or the one that is given for it", async () => {
  await buildSecrets([secret("cmd://x", "a"), secret("env://B", "b")], ["npm", "pip"])
  expect(set.mock.calls.map(([name]) => name)).toEqual(["npm", "pip"])
})

test.each([
  [[secret("cmd://x", "a")], [], /no ID.*--build-secret-id/s],
  [[secret("env://A", "a"), secret("file://x/A", "b")], [], /Two build secrets have the ID A/],
  [[secret("env://A", "a")], ["x", "y"], /1 build secrets, but 2 IDs/],
  [[secret("env://A")], [], /build secret A has no value.*Set A in the environment/s],
])("mistakes are refused before anything is built", async (given, ids, message) => {
  await expect(buildSecrets(given, ids)).rejects.toThrow(message)
})
