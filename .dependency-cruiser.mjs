// The dependency rule: docs/architecture.md. `npm run arrows` shows what breaks it; a test runs it.

/** A folder of ci/src may import itself, the folders before it in its own chain, lib, and the settings; nothing else. */
const noun = (folder, ...before) => ({
  name: `ci/src/${folder}`,
  severity: "error",
  from: { path: `^ci/src/${folder}/` },
  to: {
    path: "^ci/src/",
    pathNot: `^ci/src/(${[folder, ...before, "lib"].join("|")})/|^ci/src/settings\\.ts$`,
  },
})

/** A folder of offline, or the file sandbox.ts, imports itself and what is named. */
const standIn = (name, ...below) => ({
  name: `offline/${name}`,
  severity: "error",
  from: { path: `^offline/${name}(/|\\.ts$)` },
  to: { path: "^offline/", pathNot: `^offline/(${[name, ...below].join("|")})(/|\\.ts$)` },
})

const nouns = [
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
  noun("metrics", "ecs", "ecr", "aws"),
  noun("dashboard", "metrics", "ecs", "ecr", "aws"),
]
const known = nouns.map(({ name }) => name.replace("ci/src/", ""))

const standIns = [
  standIn("machine"),
  standIn("git", "machine"),
  standIn("aws", "machine"),
  standIn("session", "machine"),
  standIn("module", "session", "machine"),
  standIn("sandbox", "aws", "git", "machine", "session"),
  standIn("buildspec", "sandbox", "aws", "git", "machine"),
  standIn("cli", "sandbox", "module", "session", "machine"),
]

export default {
  forbidden: [
    {
      name: "no circle",
      severity: "error",
      from: { pathNot: "(^|/)test/" },
      // The settings' type is that of the module's class, and the class calls the verbs.
      to: { circular: true, viaOnly: { pathNot: "^ci/src/settings\\.ts$" } },
    },
    {
      name: "the settings take only the type of the module's class",
      severity: "error",
      from: { path: "^ci/src/settings\\.ts$" },
      to: { path: "^ci/src/index\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    { ...noun("lib"), to: { path: "^ci/src/", pathNot: "^ci/src/lib/" } },
    {
      ...noun("settings"),
      from: { path: "^ci/src/settings\\.ts$" },
      to: { path: "^ci/src/", pathNot: "^ci/src/(lib/|index\\.ts$)" },
    },
    ...nouns,
    {
      name: "a folder of ci/src has its place in the chains above",
      severity: "error",
      from: { path: "^ci/src/[^/]+/", pathNot: `^ci/src/(${[...known, "lib"].join("|")})/` },
      to: { path: "^ci/src/" },
    },
    ...standIns,
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
      to: { path: "^(ci/src|bench)/" },
    },
    {
      name: "offline knows of infra where it makes the account from it, and where it reads the build project",
      severity: "error",
      from: { path: "^offline/", pathNot: "^offline/(aws|buildspec|test)/" },
      to: { path: "^infra/" },
    },
    {
      name: "infra stands alone",
      severity: "error",
      from: { path: "^infra/", pathNot: "^infra/test/" },
      to: { path: "^(ci|offline|bench)/" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)node_modules/" },
  },
}
