import { expect, test } from "vitest"
import { normalized } from "../../src/lib/platform.js"

test.each([
  ["linux/arm64/v8", "linux/arm64"],
  ["linux/arm64", "linux/arm64"],
  ["Linux/AMD64", "linux/amd64"],
  ["linux/amd64/v1", "linux/amd64"],
  ["linux/amd64/v3", "linux/amd64/v3"],
  ["linux/arm/v7", "linux/arm"],
  ["linux/arm/v6", "linux/arm/v6"],
])("%s is %s", (platform, name) => expect(normalized(platform)).toBe(name))
