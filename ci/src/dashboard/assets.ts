/** The page's style: light and dark, from a phone's width up. */
export const style = `
:root { color-scheme: light dark; --back: light-dark(#f6f7f9, #101418); --card: light-dark(#fff, #182027);
  --text: light-dark(#16202a, #e4ebf1); --soft: light-dark(#5b6873, #93a1ad); --line: light-dark(#dde2e7, #2b353e);
  --good: light-dark(#1a7f4b, #3fbf7f); --bad: light-dark(#c2362b, #ff7b6f); --busy: light-dark(#b35c00, #ffb454);
  --bar: light-dark(#3b74c9, #6ea8ff); }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 Inter, system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 68rem; margin: 0 auto; padding: 1rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem }
h1 { font-size: 1.4rem; margin: .3rem 0 } h2 { font-size: 1.2rem; margin: 1.6rem 0 .4rem } h3 { font-size: 1rem; margin: 1.6rem 0 .5rem }
p { margin: .15rem 0; overflow-wrap: anywhere } a { color: inherit } code, .commit { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85em }
.dim { color: var(--soft) } footer { margin: 2rem 0; font-size: .85rem }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: .8rem }
.card, .tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; min-width: 0 }
.card { border-left: 4px solid var(--good) } .card.busy { border-left-color: var(--busy) } .card.bad { border-left-color: var(--bad) }
.card h3 { margin: 0 } .version { font-size: 1.9rem; font-weight: 650; line-height: 1.2; margin: .3rem 0 }
.now { color: var(--busy); font-weight: 600 }
.pulse { display: inline-block; width: .6em; height: .6em; margin-right: .4em; border-radius: 50%; background: var(--busy); animation: pulse 1.4s infinite }
@keyframes pulse { 50% { opacity: .25 } } @media (prefers-reduced-motion: reduce) { .pulse { animation: none } }
.next { margin: 1rem 0; padding: .6rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: .8rem; margin-bottom: .8rem }
.tile h4 { margin: 0; font-size: .85rem; color: var(--soft); font-weight: 600 } .value { font-size: 1.4rem; font-weight: 650 }
.scroll { overflow-x: auto } .latest { direction: rtl } .latest > * { direction: ltr } svg { display: block; width: 100%; height: auto } .timeline { min-width: 34rem } .bars { margin-top: .5rem; height: 44px }
svg text { fill: var(--soft); font-size: 11px } svg text.lane { fill: var(--text) }
svg .grid, svg line.axis { stroke: var(--line) } rect.good { fill: var(--good) } rect.bad { fill: var(--bad) } rect.busy { fill: var(--busy) }
rect.dim { fill: var(--soft) } rect.bar { fill: var(--bar) } rect.none { fill: var(--line) }
table { border-collapse: collapse; width: 100%; font-size: .9rem } th { text-align: left; color: var(--soft); font-weight: 600 }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap }
@media (max-width: 44rem) { thead { display: none } tr { display: flex; flex-wrap: wrap; gap: 0 .8rem; padding: .4rem 0; border-bottom: 1px solid var(--line) }
  td { border: 0; padding: 0 } td.cause { flex-basis: 100% } }
.cause { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 14rem; margin: 0 } pre.cause { font: inherit }
.chip { font-size: .78rem; font-weight: 600; padding: .05rem .5rem; border-radius: 1rem; border: 1px solid currentColor }
.chip.good { color: var(--good) } .chip.bad { color: var(--bad) } .chip.busy { color: var(--busy) } .chip.dim { color: var(--soft) }
details { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .5rem 1rem; margin: .4rem 0 } summary { cursor: pointer }
dt { font-weight: 600 } dd { margin: 0 0 .4rem } ul { margin: .5rem 0; padding-left: 1.1rem } li { margin: .2rem 0; overflow-wrap: anywhere }
`

/**
 * Fetches the changing part of the page again: more often while something is going on, and not while nobody is looking. Parts that have not
 * changed stay as they are, with everything that the reader has opened, selected or scrolled.
 */
export const live = `
const slow = 15000, quick = 2500
let timer
function local(root) {
  for (const it of root.querySelectorAll("time")) {
    const date = new Date(it.dateTime), year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }
    it.textContent = date.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...year })
  }
}
function update(next) {
  const now = document.getElementById("main")
  local(next)
  const ids = root => [...root.querySelectorAll("[id]")].map(it => it.id).join()
  for (const it of next.querySelectorAll("details")) {
    const old = document.getElementById(it.id)
    if (old) it.open = old.open
  }
  if (ids(now) !== ids(next)) return now.replaceWith(document.adoptNode(next))
  now.dataset.busy = next.dataset.busy
  document.getElementById("lost").hidden = true
  for (const it of next.querySelectorAll("[id]")) {
    const old = document.getElementById(it.id)
    if (it.id === "lost" || !old || old.outerHTML === it.outerHTML) continue
    const left = old.scrollLeft
    old.replaceWith(document.adoptNode(it))
    document.getElementById(it.id).scrollLeft = left
  }
}
async function refresh() {
  clearTimeout(timer)
  if (document.hidden) return
  try {
    const answer = await fetch("/main", { signal: AbortSignal.timeout(20000) })
    if (!answer.ok) throw new Error(answer.status)
    update(new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main"))
  } catch {
    document.getElementById("lost").hidden = false
  }
  timer = setTimeout(refresh, document.getElementById("main").dataset.busy === "yes" ? quick : slow)
}
document.addEventListener("visibilitychange", refresh)
local(document)
timer = setTimeout(refresh, quick)
`
