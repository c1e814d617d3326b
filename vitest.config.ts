import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["ci/test/**/*.test.ts", "infra/test/**/*.test.ts", "offline/test/**/*.test.ts"],
    // Two files at a time: most of them start processes and containers of their own.
    maxWorkers: 2,
    // The AWS SDK would say on every run that it will want Node.js 22 one day.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    reporters: ["default", "./vitest.slowest.ts"],
    coverage: {
      include: ["ci/src/**/*.ts"],
      reporter: ["text-summary", "html"],
      reportsDirectory: "reports/coverage",
    },
    testTimeout: 30_000,
    hookTimeout: 300_000,
  },
})
