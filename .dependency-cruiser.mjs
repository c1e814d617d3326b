// The dependency rule: docs/architecture.md. `npx depcruise ci/src offline` shows what breaks it; a test runs it.

/** A folder of ci/src imports itself, what stands before it in its own chain, lib, and the settings; nothing else. */
const noun = (folder, ...before) => ({
  name: `ci/src/${folder}`,
  severity: "error",
  from: { path: `^ci/src/${folder}/` },
  to: {
    path: "^ci/src/",
    pathNot: `^ci/src/(${[folder, ...before, "lib"].join("|")})/|^ci/src/settings\\.ts$`,
  },
})

/** A folder of offline imports itself and what is named: folders, or the file sandbox.ts. */
const standIn = (folder, ...below) => ({
  name: `offline/${folder}`,
  severity: "error",
  from: { path: `^offline/${folder}/` },
  to: { path: "^offline/", pathNot: `^offline/(${[folder, ...below].join("|")})(/|\\.ts$)` },
})

export default {
  forbidden: [
    {
      name: "no circle",
      severity: "error",
      from: {},
      // The settings' type is that of the module's class, and the class calls the verbs.
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { ...noun("lib"), to: { path: "^ci/src/", pathNot: "^ci/src/lib/" } },
    {
      ...noun("settings"),
      from: { path: "^ci/src/settings\\.ts$" },
      to: { path: "^ci/src/", pathNot: "^ci/src/(lib/|index\\.ts$)" },
    },
    noun("git"),
    noun("version", "git"),
    noun("image", "version", "git"),
    noun("aws"),
    noun("ecr", "aws"),
    noun("ecs", "ecr", "aws"),
    noun("verify", "ecs", "ecr", "aws"),
    noun("attestation", "ecr", "aws"),
    noun("announce", "aws"),
    noun("publish", "announce"),
    standIn("machine"),
    standIn("git", "machine"),
    standIn("aws", "machine"),
    standIn("session", "machine"),
    standIn("buildspec", "sandbox", "aws", "git", "machine"),
    standIn("cli", "sandbox", "session", "machine"),
    {
      name: "ci/src knows nothing of offline, infra or tests",
      severity: "error",
      from: { path: "^ci/src/" },
      to: { path: "^(offline|infra|bench|ci/test)/" },
    },
    {
      name: "offline holds nothing of the product",
      severity: "error",
      from: { path: "^offline/", pathNot: "^offline/test/" },
      to: { path: "^ci/src/" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(test|node_modules)/" },
  },
}
