import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["ci/test/**/*.test.ts", "infra/test/**/*.test.ts", "offline/test/**/*.test.ts"],
    // Two files at a time: most of them start processes of their own.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 300_000,
  },
})
