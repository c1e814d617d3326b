/** What a Dockerfile builds on: finds a name for the image that a reference means. */
type Resolve = (reference: string) => Promise<string>

/**
 * Gives the Dockerfile with every reference to an image outside it replaced by what `resolve` gives: those of FROM, of
 * COPY --from and of RUN --mount=from. Stages' names, stages' numbers and `scratch` stay. Variables in FROM are replaced
 * by `buildArgs` or by the defaults of ARG lines before the first FROM. A `# syntax=` line is dropped: it would have
 * another frontend fetched from a registry.
 */
export async function rewriteDockerfile(
  text: string,
  buildArgs: Record<string, string>,
  resolve: Resolve,
): Promise<string> {
  const stages = new Set<string>(["scratch"])
  const globals = new Map<string, string>()
  const lines: string[] = []
  let before = true
  const image = async (reference: string) =>
    stages.has(reference.toLowerCase()) || /^\d+$/.test(reference) ? reference : resolve(reference)

  for (const line of logicalLines(text)) {
    const arg = before && /^\s*ARG\s+([A-Za-z_]\w*)(?:=(.*?))?\s*$/is.exec(line)
    if (arg) {
      const [, name = "", value] = arg
      const known =
        buildArgs[name] ?? (value === undefined ? undefined : expandArgs(unquoted(value), globals))
      if (known !== undefined) globals.set(name, known)
    }
    const from = /^(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)(?:(\s+AS\s+)(\S+))?(\s*)$/is.exec(line)
    if (from) {
      before = false
      const [, start, reference = "", as = "", stage = "", end] = from
      lines.push(`${start}${await image(expandArgs(reference, globals))}${as}${stage}${end}`)
      if (stage) stages.add(stage.toLowerCase())
    } else if (/^\s*(COPY|ADD|RUN)\s/i.test(line)) lines.push(await rewriteOptions(line, image))
    else lines.push(line)
  }
  return lines.join("\n")
}

/** Replaces the images in an instruction's own options: they stand before its first other word. */
async function rewriteOptions(line: string, image: Resolve): Promise<string> {
  const [head = ""] = /^\s*\w+((\s|\\\n)+--\S+)*/.exec(line) ?? []
  let rewritten = head
  for (const [option, name = "", reference = ""] of head.matchAll(/(--from=|[=,]from=)([^\s,]+)/g)) {
    rewritten = rewritten.replace(option, `${name}${await image(reference)}`)
  }
  return rewritten + line.slice(head.length)
}

/** The Dockerfile's lines, those that a backslash continues as one, without a `# syntax=` line at the top. */
function logicalLines(text: string): string[] {
  const physical = text.replaceAll("\r\n", "\n").split("\n")
  const directives = physical.findIndex(line => !/^\s*#\s*\w+\s*=/.test(line))
  const lines: string[] = []
  for (const [index, line] of physical.entries()) {
    if (index < directives && /^\s*#\s*syntax\s*=/i.test(line)) continue
    const last = lines.at(-1)
    if (last !== undefined && /\\\s*$/.test(last) && !/^\s*#/.test(last))
      lines[lines.length - 1] = `${last}\n${line}`
    else lines.push(line)
  }
  return lines
}

function expandArgs(text: string, values: Map<string, string>): string {
  return text.replace(/\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))/g, (_, braced, sign, other, bare) => {
    const value = values.get(braced ?? bare) ?? ""
    if (sign === "-") return value || other
    if (sign === "+") return value && other
    return value
  })
}

function unquoted(value: string): string {
  return value.replace(/^(["'])(.*)\1$/s, "$2")
}
