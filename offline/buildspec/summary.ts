import type { BuildResult } from "./run.js"

/** A build's end for a person: each phase with its state and duration, what was exported and collected. */
export function summaryText(
  project: string,
  { state, phases, exported, reports, artifacts }: BuildResult,
): string {
  const width = Math.max(...phases.map(({ name }) => name.length))
  const lines = phases.map(
    phase =>
      `  ${phase.name.padEnd(width)}  ${phase.state.padEnd(9)}  ${phase.seconds.toFixed(1).padStart(6)} s`,
  )
  const failed = phases.find(phase => phase.state !== "SUCCEEDED")
  const named = (values: Record<string, string>) =>
    Object.entries(values).map(([name, value]) => `  ${name}: ${value}`)
  return [
    `Build of ${project}: ${state}`,
    ...lines,
    ...(failed ? [`Why: ${failed.message}`] : []),
    ...section("Exported variables", named(exported)),
    ...section("Reports", named(reports)),
    ...section(
      "Artifacts",
      artifacts.map(path => `  ${path}`),
    ),
    "",
  ].join("\n")
}

function section(title: string, lines: string[]): string[] {
  return lines.length > 0 ? [`${title}:`, ...lines] : []
}
