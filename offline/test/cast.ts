/** A line that a command printed, and when, in seconds. */
export type Line = { at: number; text: string }

const columns = 100

/** A recording as asciinema has it (asciicast v2). */
export function asciicast(lines: Line[], command: string): string {
  const header = { version: 2, width: columns, height: lines.length + 2, title: command }
  const events = [{ at: 0, text: `$ ${command}` }, ...lines].map(({ at, text }) => [
    Number(at.toFixed(2)),
    "o",
    `${text}\r\n`,
  ])
  return [header, ...events].map(it => `${JSON.stringify(it)}\n`).join("")
}

/** The same as a picture that moves: an SVG, in which each line appears when it came, again and again. */
export function animation(lines: Line[], command: string): string {
  const all = [{ at: 0, text: `$ ${command}` }, ...lines].map(({ at, text }) => ({ at, text: cut(text) }))
  const [size, step, left] = [13, 18, 14]
  const [width, height] = [columns * 7.85 + 2 * left, all.length * step + 2 * left]
  const end = (all.at(-1)?.at ?? 0) + 1
  const whole = end + 6
  const frames = all.map(({ at }, index) => {
    const percent = ((at / whole) * 100).toFixed(2)
    return `@keyframes l${index} { 0%, ${percent}% { opacity: 0 } ${(Number(percent) + 0.01).toFixed(2)}%, 100% { opacity: 1 } }\n.l${index} { animation: l${index} ${whole.toFixed(1)}s infinite }`
  })
  const texts = all.map(({ text }, index) => {
    const kind = /^(rolled back|error|→|Error)/.test(text) ? " bad" : index === 0 ? " command" : ""
    return `<text class="l${index}${kind}" x="${left}" y="${left + (index + 1) * step - 5}">${escaped(text)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" role="img" aria-label="A release that ECS rolls back">
<style>
text { font: ${size}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d6dee6; white-space: pre }
.command { fill: #8fc7ff; font-weight: 600 } .bad { fill: #ff8a7e }
@media (prefers-reduced-motion: no-preference) {
${frames.join("\n")}
}
</style>
<rect width="100%" height="100%" rx="8" fill="#12181e"/>
${texts.join("\n")}
</svg>
`
}

/** A line as long as fits. */
function cut(text: string): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text
}

/** The lines that say how the release goes: without those of the builder, of settings, and of what is done offline alone. */
export function essential(lines: Line[]): Line[] {
  const other = /^#\d+ |^user default:|^offline: |stands in for|^build --|^\w+: started$|^\s*$/
  return lines.filter(({ text }) => !other.test(text))
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
}
