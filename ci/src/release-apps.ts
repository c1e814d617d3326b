import type { App } from "./config.js"
import { UserError } from "./lib/errors.js"
import { table } from "./lib/table.js"
import { type Released, type ReleaseOptions, release } from "./release.js"

/** How one app's release ended. */
export type AppReleased = { app: string } & Released

/**
 * Releases every app that changed, in parallel; the others are left as they are.
 *
 * @returns how each ended, in the file's order
 * @throws UserError that says for each app how it ended, if one failed; the others are still released
 */
export async function releaseApps(
  apps: (App & { stage?: string })[],
  options: ReleaseOptions,
): Promise<AppReleased[]> {
  const ends = await Promise.all(
    apps.map(async ({ name, settings, stage }): Promise<AppReleased | { app: string; error: Error }> => {
      const print = (line: string) => options.print(`${name}: ${line}`)
      try {
        return { app: name, ...(await release(settings, { ...options, app: name, stage, print })) }
      } catch (error) {
        // A failed command's output is not in its message (ExecError).
        const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string }
        for (const line of `${stdout}\n${stderr}`.split("\n").filter(Boolean)) print(line)
        return { app: name, error: error as Error }
      }
    }),
  )
  const failed = ends.flatMap(end => ("error" in end ? [end] : []))
  const done = ends.flatMap(end => ("error" in end ? [] : [end]))
  if (failed.length === 0) return done
  const rows = ends.map(end =>
    "error" in end ? [end.app, "failed", firstLine(end.error.message)] : appRow(end),
  )
  const whole = failed.map(({ app, error }) => `${app}: ${error.message}`)
  throw new UserError(
    `${failed.length} of ${apps.length} apps failed: ${failed.map(({ app }) => app).join(", ")}.`,
    [table(rows), "", ...whole].join("\n"),
    `Fix it and release again: what is done stays done. To release one app only: --app ${failed[0]?.app}`,
  )
}

/** One line for each app. */
export function appsTable(ends: AppReleased[]): string {
  return table(ends.map(appRow))
}

function appRow({ app, outcome, version, text, deployed }: AppReleased): string[] {
  const services = deployed?.services.map(({ service }) => service).join(", ")
  return [app, outcome, version || "no version", services ?? firstLine(text)]
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? ""
}
