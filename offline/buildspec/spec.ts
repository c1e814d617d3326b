import { parse } from "yaml"
import { z } from "zod"
import { BuildError } from "./command.js"

/** The phases that a buildspec can have, in the order in which they run. */
export const PHASES = ["install", "pre_build", "build", "post_build"] as const

/** CodeBuild accepts a number or a boolean as a string. */
const text = z.preprocess(
  value => (typeof value === "number" || typeof value === "boolean" ? String(value) : value),
  z.string(),
)
/** A single string is a list of one. */
const texts = z.preprocess(
  value => (value === undefined || Array.isArray(value) ? value : [value]),
  z.array(text).min(1),
)
const name = text.refine(value => /^[A-Za-z_]\w*$/.test(value), "this is not a valid variable name")
const phase = z.strictObject({ commands: texts, finally: texts.default([]) })
/** JUnit XML files, relative to a folder of the source. */
const reportGroup = z.strictObject({
  files: texts,
  "base-directory": text.default("."),
  "file-format": z.literal("JUNITXML").optional(),
})

const schema = z.strictObject({
  version: text.refine(version => version === "0.2", "this runner supports only version 0.2"),
  env: z
    .strictObject({
      shell: z.enum(["bash", "/bin/sh"]).default("/bin/sh"),
      variables: z
        .record(
          name.refine(key => !key.startsWith("CODEBUILD_"), "this name is reserved for CodeBuild"),
          text,
        )
        .default({}),
      "exported-variables": z
        .array(name.refine(key => !key.startsWith("AWS_"), "AWS_ variables can't be exported"))
        .default([]),
    })
    .prefault({}),
  phases: z
    .strictObject(Object.fromEntries(PHASES.map(key => [key, phase.optional()])))
    .refine(phases => Object.keys(phases).length > 0, `has none of ${PHASES.join(", ")}`),
  /** By the name of the report group. */
  reports: z.record(z.string(), reportGroup).default({}),
})

/** What this runner takes from a buildspec. */
export type Buildspec = z.output<typeof schema>
export type Phase = z.output<typeof phase>
export type ReportGroup = z.output<typeof reportGroup>

/**
 * Reads a buildspec of version 0.2: the part of the build specification reference that a project like this one uses.
 *
 * @throws BuildError for anything else, so that nothing is silently ignored
 */
export function parseBuildspec(source: string): Buildspec {
  const { data, error } = schema.safeParse(read(source))
  if (error) throw new BuildError(error.issues.map(explain).join("\n"))
  return data
}

function read(source: string): unknown {
  try {
    return parse(source)
  } catch (error) {
    throw new BuildError(`The buildspec is not YAML: ${(error as Error).message.trim()}`)
  }
}

function explain(issue: z.core.$ZodIssue): string {
  const at = issue.path.join(".") || "buildspec"
  if (issue.code === "unrecognized_keys")
    return issue.keys.map(key => `${at}.${key} is not supported here.`).join("\n")
  if (issue.code === "invalid_key") return `${at}: ${issue.issues[0]?.message}.`
  return `${at}: ${issue.message}.`
}
