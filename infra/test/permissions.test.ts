import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { App, Stack } from "aws-cdk-lib"
import { describe, expect, it } from "vitest"
import { namesOf } from "../lib/names.js"
import { buildPermissions, executionPermissions, releasePermissions } from "../lib/permissions.js"
import { complete } from "./variants.js"

const source = join(import.meta.dirname, "../../ci/src")
const names = namesOf(new Stack(new App({ analyticsReporting: false }), "names"), complete)

/** How IAM calls the services whose SDK package has another name. */
const prefixes: Record<string, string> = { "cloudwatch-logs": "logs" }

/** AWS answers these to everyone (STS, "GetCallerIdentity": "No permissions are required"). */
const free = ["sts:GetCallerIdentity"]

/** The IAM actions of the commands that a source file takes from the AWS SDK, by `import` or by `await import(…)`. */
function actionsIn(text: string): string[] {
  const taken = /\{([^{}]*)\}\s*(?:from|=\s*await\s+import\()\s*"@aws-sdk\/client-([a-z-]+)"/g
  return [...text.matchAll(taken)].flatMap(([, list = "", client = ""]) =>
    list
      .split(",")
      .map(name => name.replace(/^\s*type\s+/, "").trim())
      .filter(name => name.endsWith("Command"))
      .map(name => `${prefixes[client] ?? client}:${name.slice(0, -"Command".length)}`),
  )
}

function called(): string[] {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(it => it.endsWith(".ts"))
  const actions = files.flatMap(file => actionsIn(readFileSync(join(source, file), "utf8")))
  return [...new Set(actions)].sort()
}

describe("the calls in ci/src and the release policy", () => {
  it("are the same, both ways", () => {
    const allowed = releasePermissions(names).filter(it => it.neededBy === "call")
    const granted = [...new Set(allowed.flatMap(it => it.actions))].sort()
    expect(granted).toEqual(called().filter(action => !free.includes(action)))
  })

  it("are found in every form that the module writes them in", () => {
    const text = `
      import { type ECSClient, RunTaskCommand, type RunTaskCommandInput } from "@aws-sdk/client-ecs"
      const { GetLogEventsCommand } = await import("@aws-sdk/client-cloudwatch-logs")
      const { A, ListTasksCommand } = await import(
        "@aws-sdk/client-ecs"
      )`
    expect(actionsIn(text)).toEqual(["ecs:RunTask", "logs:GetLogEvents", "ecs:ListTasks"])
  })
})

describe("every statement", () => {
  const { buildLogStreams, reportGroups } = names.arns
  const statements = [
    ...releasePermissions(names),
    ...executionPermissions(names),
    ...buildPermissions(names, buildLogStreams, reportGroups),
  ]

  it("says why, and allows no wildcard action", () => {
    for (const { sid, because, actions } of statements) {
      expect(because, sid).toMatch(/^[A-Z].{20,}\.$/)
      expect(actions.join(), sid).not.toContain("*")
    }
  })

  it("names a resource where AWS takes one", () => {
    // Service Authorization Reference: no resource type, or (ListTasks) none that a Fargate task is listed under.
    const resourceless = [
      "ecr:GetAuthorizationToken",
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTaskDefinitions",
      "ecs:ListTasks",
    ]
    const open = statements.filter(it => it.resources.includes("*")).flatMap(it => it.actions)
    expect([...new Set(open)].sort()).toEqual(resourceless)
  })
})
