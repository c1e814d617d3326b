import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { parse } from "../../ci/src/config.js"
import { EcsRelease } from "../../ci/src/index.js"
import { moduleTypes } from "../module/kept.js"
import { sdkFiles } from "../module/sdk.js"
import { findModule } from "../module/source.js"
import { project } from "./release.world.js"

const state = mkdtempSync(join(tmpdir(), "schema-"))
afterAll(() => rmSync(state, { recursive: true }))

it("ecs-release.yaml's schema has the settings as the module documents them (npx vitest run -u writes it)", async () => {
  const { objects } = await moduleTypes(findModule(project, "/"), await sdkFiles(state), state, () => {})
  const args = objects.find(({ name }) => name === "EcsRelease")?.create?.args ?? []
  const defaults = new EcsRelease()
  const settings: [string, object][] = []
  for (const { name, type, description, defaultValue } of args) {
    const isList = type.kind === "LIST" && type.element?.kind === "STRING"
    if (type.kind !== "STRING" && !isList) continue
    // The parser says what it takes.
    const text = isList
      ? `${name}: []`
      : `${name}: ${JSON.stringify(defaultValue ? JSON.parse(defaultValue) : "")}`
    const isTaken = await parse(text, defaults).then(
      () => true,
      error => !/unknown key/.test((error as Error).message),
    )
    if (!isTaken) continue
    const list = { type: "array", items: { type: "string" } }
    const takesList = await parse(`${name}: [a]`, defaults).then(
      () => true,
      error => !/has to be text/.test((error as Error).message),
    )
    const either = takesList ? { ...list, type: ["string", "array"] } : { type: "string" }
    settings.push([name, { description, ...(isList ? list : either) }])
  }
  const block = { type: "object", additionalProperties: false, properties: Object.fromEntries(settings) }
  const stage = {
    ...block,
    properties: {
      after: { description: "The stage that an image has to complete in first", type: "string" },
      images: {
        description: "How the stage gets an image from another registry: as a copy in its own, or from there",
        enum: ["copy", "pull"],
      },
      ...block.properties,
    },
  }
  const stages = {
    description: "Stages by name, such as staging and production: each has its own settings over all others",
    type: "object",
    propertyNames: { pattern: "^[\\w.-]+$" },
    additionalProperties: { $ref: "#/$defs/stage" },
  }
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "ecs-release.yaml",
    description:
      "Settings of ecs-release for a repository, and for each of its apps and stages. Arguments win over all but a stage's.",
    ...block,
    properties: {
      ...block.properties,
      stages,
      apps: {
        description: "Apps by name: each has its own settings over those of the file",
        type: "object",
        propertyNames: { pattern: "^[\\w.-]+$" },
        additionalProperties: { $ref: "#/$defs/app" },
      },
    },
    $defs: { app: { ...block, properties: { ...block.properties, stages } }, stage },
  }
  expect(settings.map(([name]) => name)).toContain("buildArgs")
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(
    join(project, "docs/schema/config.v1.json"),
  )
})
