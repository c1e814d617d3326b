import type { PastDeployment } from "../ecs/past-deployment.js"
import { describePause } from "../ecs/pause.js"
import { rounded } from "../lib/text.js"
import { day, duration } from "../lib/time.js"
import { counted, type Metrics } from "../metrics/measure.js"
import { ago, bars, colorOf, dayOf, timeLine } from "./charts.js"
import { Html, html } from "./html.js"
import { type AppState, isBusy, runningOf, type ServiceState, type ServiceView, type State } from "./state.js"

/** How far back the time line and the table go, in days. */
const days = 28
/** How many deployments the table shows. */
const rows = 30

/** The whole page; as long as there is no state, a page that says so and asks again. */
export function page(state: State | undefined): string {
  const names = (state?.apps ?? [])
    .map(({ name, services }) => name || services[0]?.name.split("/").at(-1) || "")
    .join(", ")
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${names && `${names} · `}ecs-release</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
<script src="/live.js" defer></script>
</head>
<body>
${main(state)}
</body>
</html>
`.text
}

/** The part that changes. Each element with an ID is replaced on its own if it has changed. */
export function main(state: State | undefined): Html {
  const lost = html`<span id="lost" role="status" hidden> · the dashboard no longer answers</span>`
  if (!state)
    return html`<main id="main" data-busy="yes"><header><h1>What runs</h1><p class="dim" id="as-of">reading ECS’s record…</p>${lost}</header></main>`
  return html`<main id="main" data-busy="${isBusy(state) ? "yes" : "no"}">
<header><h1>What runs</h1><p class="dim" id="as-of">as of ${time(state.at)}</p>${lost}</header>
${state.apps.map((app, at) => appPart(app, `a${at}`, state.at))}
<footer class="dim">ECS keeps 90 days of deployments. The git data is from ${time(new Date(state.read))}; restart the dashboard to refresh it.</footer>
</main>`
}

function appPart(app: AppState, id: string, now: Date): Html {
  const seen = app.services.flatMap(it => ("status" in it ? [it] : []))
  const lanes = seen.map(it => ({ name: laneOf(it), deployments: it.deployments }))
  return html`<section>
${app.name && html`<h2>${app.name}</h2>`}
<div class="cards">${app.services.map((it, at) => card(it, `${id}-card${at}`, app, now))}</div>
<p class="next" id="${id}-next"><b>Next</b> ${nextOf(app)}</p>
<h3>Deployments of the last ${days} days</h3>
<div class="scroll latest" id="${id}-line" tabindex="0" role="region" aria-label="Time line">${timeLine(lanes, now, days)}</div>
${deploymentTable(seen, `${id}-table`, app, now)}
<h3>Delivery</h3>
${seen.map((it, at) => dora(it, `${id}-dora${at}`, seen.length > 1))}
<details id="${id}-how"><summary class="dim">How these are counted</summary><dl>${Object.values(counts).map(([name, how]) => html`<dt>${name}</dt><dd>${how}</dd>`)}</dl></details>
<h3>Versions</h3>
${app.releases.length === 0 ? html`<p class="dim">none yet</p>` : ""}
${app.releases.map((release, at) => releasePart(release, id, app, at))}
</section>`
}

/** What a release of HEAD would do, unless its version runs already. */
function nextOf({ outlook, head, services }: AppState): string {
  const running = services.filter(it => "status" in it && head !== "" && runningOf(it).version === head)
  if (running.length === 0) return outlook
  return `HEAD is ${head}, which ${running.map(laneOf).join(" and ")} ${running.length === 1 ? "runs" : "run"}`
}

function laneOf({ stage, name }: { stage: string; name: string }): string {
  return stage === "" ? name : `${stage} · ${name}`
}

function card(it: ServiceState, id: string, app: AppState, now: Date): Html {
  const title = it.stage === "" ? it.name : it.stage
  const where = it.stage === "" ? it.region : `${it.name}, ${it.region}`
  if ("error" in it) {
    return html`<article class="card bad" id="${id}"><h3>${title}</h3><p class="dim">${where}</p><pre class="cause">${it.error}</pre></article>`
  }
  const { status, url, stale } = it
  const { version, commit: running, since, next } = runningOf(it)
  const isWhole = status.running === status.desired && status.pending === 0
  return html`<article class="card ${stale ? "bad" : next || !isWhole ? "busy" : "good"}" id="${id}">
<h3>${title}</h3><p class="dim">${where}</p>
<p class="version">${version ?? "no version"}</p>
<p>${running ? commit(running, app.commits) : "commit unknown"}${since && html` · since ${time(since)} (${ago(since, now)})`}</p>
<p><span class="tasks">${status.running} of ${status.desired} tasks</span>${status.pending > 0 && html`, ${status.pending} starting`}${status.state !== "ACTIVE" && html` · ${status.state}`}</p>
${status.approvedBy && !next && html`<p class="dim">approved by ${status.approvedBy}</p>`}
${next && html`<p class="now"><span class="pulse"></span>${next.version} ${next.outcome}, ${ago(next.started, now)}</p>`}
${status.pause && html`<p class="now">waits for ${describePause(status.pause)}</p>`}
${stale && html`<p class="cause">as of ${time(stale.since)}: ${stale.error}</p>`}
${url && html`<p>${link(url, url)}</p>`}
</article>`
}

function deploymentTable(seen: ServiceSeen[], id: string, app: AppState, now: Date): Html {
  const since = now.getTime() - days * day
  const all = seen
    .flatMap(it => it.deployments.map(deployment => ({ ...deployment, lane: laneOf(it) })))
    .filter(({ started }) => started.getTime() >= since)
    .sort((a, b) => b.started.getTime() - a.started.getTime())
  if (all.length === 0) return html`<p class="dim" id="${id}">none</p>`
  const hasLanes = seen.length > 1
  return html`<div class="scroll" id="${id}" tabindex="0" role="region" aria-label="Deployments"><table><thead><tr><th>Started</th>${hasLanes && html`<th>Where</th>`}<th>Version</th><th>Outcome</th><th>Took</th><th>Cause</th></tr></thead><tbody>
${all
  .slice(0, rows)
  .map(
    it =>
      html`<tr><td>${time(it.started)}</td>${hasLanes && html`<td>${it.lane}</td>`}<td>${it.version}${it.commit && html` ${commit(it.commit, app.commits)}`}</td><td><span class="chip ${colorOf(it.outcome)}">${it.outcome}</span></td><td>${took(it, now)}</td><td class="cause">${it.outcome === "completed" ? "" : (it.reason ?? "")}</td></tr>`,
  )}
</tbody></table></div>
${all.length > rows && html`<p class="dim">and ${all.length - rows} more</p>`}`
}

type ServiceSeen = ServiceView & { stage: string; name: string }

function took({ started, ended }: PastDeployment, now: Date): string {
  return duration(((ended ?? now).getTime() - started.getTime()) / 1000)
}

/** The names of the four metrics, and how each is counted. */
const counts = {
  frequency: ["Deployment frequency", counted.deploymentFrequency],
  lead: ["Lead time for changes", counted.leadTime],
  failure: ["Change failure rate", counted.changeFailureRate],
  restore: ["Time to restore", counted.timeToRestore],
} as const

function dora({ metrics, weeks, ...it }: ServiceSeen, id: string, isNamed: boolean): Html {
  const each = (read: (metrics: Metrics) => number | null) => weeks.map(read)
  const tiles: [title: string, value: string, note: string, chart: Html][] = [
    [
      counts.frequency[0],
      `${rounded(metrics.deploymentFrequency.perDay * 7)} a week`,
      `${metrics.deploymentFrequency.deployments} in 30 days`,
      bars(
        each(week => week.deploymentFrequency.deployments),
        "Deployments",
        value => `${value}`,
      ),
    ],
    [
      counts.lead[0],
      duration(metrics.leadTime.seconds),
      `median of ${metrics.leadTime.commits} commits`,
      bars(
        each(week => week.leadTime.seconds),
        "Lead time",
        duration,
      ),
    ],
    [
      counts.failure[0],
      metrics.changeFailureRate.rate === null ? "–" : `${rounded(metrics.changeFailureRate.rate * 100)} %`,
      `${metrics.changeFailureRate.failed} of ${metrics.changeFailureRate.of}`,
      bars(
        each(week => week.changeFailureRate.rate),
        "Change failure rate",
        value => `${rounded(value * 100)} %`,
      ),
    ],
    [
      counts.restore[0],
      duration(metrics.timeToRestore.seconds),
      `median of ${metrics.timeToRestore.restored}`,
      bars(
        each(week => week.timeToRestore.seconds),
        "Time to restore",
        duration,
      ),
    ],
  ]
  return html`${isNamed && html`<p class="dim">${laneOf(it)}</p>`}<div class="tiles" id="${id}">
${tiles.map(
  ([title, value, note, chart]) =>
    html`<article class="tile"><h4>${title}</h4><p class="value">${value}</p><p class="dim">${note}</p>${chart}</article>`,
)}
</div>`
}

function releasePart(
  release: AppState["releases"][number],
  id: string,
  { commits }: AppState,
  at: number,
): Html {
  const { version, date, pending, changes } = release
  return html`<details id="${id}-${version}"${at === 0 ? new Html(" open") : ""}><summary><b>${version}</b> <span class="dim">${pending ? "not released yet" : dayOf(new Date(date))} · ${changes.length === 0 ? "no user-visible changes" : `${changes.length} ${changes.length === 1 ? "change" : "changes"}`}</span></summary>
<ul>${changes.map(
    it =>
      html`<li><span class="chip ${it.breaking ? "bad" : "dim"}">${it.breaking ? "breaking" : it.type}</span> ${it.what} ${commit(it.commit, commits)}</li>`,
  )}</ul></details>`
}

function commit(id: string, commits: string | undefined): Html {
  const text = id.slice(0, 7)
  return commits ? link(`${commits}${id}`, text, "commit") : html`<code class="commit">${text}</code>`
}

/** A link to another site; just the text if it is not a web address. */
function link(address: string, text: string, kind = ""): Html {
  if (!/^https?:\/\//.test(address)) return html`${text}`
  return html`<a class="${kind}" href="${address}" rel="noopener noreferrer">${text}</a>`
}

/** A time in UTC; a script shows it in the reader's own time zone. */
function time(date: Date): Html {
  const iso = date.toISOString()
  return html`<time datetime="${iso}" title="${iso}">${dayOf(date)} ${iso.slice(11, 16)} UTC</time>`
}
