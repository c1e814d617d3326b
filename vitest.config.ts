import { defineConfig } from "vitest/config"

/** Tests that ask a server through the AWS SDK: they do not go with those that have mocked its clients. */
const wire = ["ci/test/aws/calls.test.ts", "ci/test/ecs/task-definition.test.ts"]

export default defineConfig({
  test: {
    projects: [
      // Their files share what they import: the SDKs take longer to load than most of these tests take.
      {
        extends: true,
        test: { name: "module", include: ["ci/test/**/*.test.ts"], exclude: wire, isolate: false },
      },
      {
        extends: true,
        test: {
          name: "offline",
          include: [...wire, "infra/test/**/*.test.ts", "offline/test/**/*.test.ts"],
        },
      },
    ],
    // Three files at a time on two cores: most of them start processes and containers of their own, and wait for these.
    maxWorkers: 3,
    env: {
      // The AWS SDK would say on every run that it will want Node.js 22 one day.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      // Seconds a task of the emulator has to run before it counts.
      STEADY_SECONDS: "0.2",
    },
    globalSetup: "./vitest.setup.ts",
    reporters: ["default", "./vitest.slowest.ts"],
    coverage: {
      include: ["ci/src/**/*.ts"],
      reporter: ["text-summary", "html"],
      reportsDirectory: "reports/coverage",
    },
    // Far more than any of them takes, beside other work too: it is for one that hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
  },
})
