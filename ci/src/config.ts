import type { Directory } from "@dagger.io/dagger"
import { parseArgs } from "./image/dockerfile.js"
import { UserError } from "./lib/errors.js"
import { partsOf } from "./lib/list.js"
import { type Settings, sourceOf } from "./settings.js"
import { ordered, type Stage } from "./stages.js"
import { firstMistake } from "./validate.js"

/** The file in the caller's repository that holds settings; optional. */
export const configFile = "ecs-release.yaml"

/** An app of the repository, with its settings and its stages. The name is "" if the repository has just one. */
export type App = { name: string; settings: Settings; stages: Stage[] }

/** The settings that are lists of text. */
const lists: readonly string[] = ["buildArgs", "buildSecretId"] satisfies (keyof Settings)[]
/** The settings that are text with commas between several names, and may be written as a list in the file. All others are text. */
const severalNames: readonly string[] = [
  "service",
  "container",
  "template",
  "platform",
  "notify",
  "path",
] satisfies (keyof Settings)[]
/** Settings that the file cannot contain: which app is meant, and who gets to see the token. A pull request can change the file. */
const refused: readonly string[] = [
  "app",
  "stage",
  "gitRemote",
  "gitApi",
  "gitImage",
  "gitUsername",
] satisfies (keyof Settings)[]

/** Values by key, with each one's place in the file. */
type Block = Map<string, { value: string | string[]; at: string }>

/** A stage in the file, and its place there. */
type StageBlock = { block: Block; after?: string; images?: Stage["images"]; at: string }

/** Settings with stages, of the file or of one of its apps. */
type Level = { block: Block; stages: Map<string, StageBlock> }

/**
 * The apps of the repository: those of `ecs-release.yaml`, or the one that the arguments describe. From strongest to weakest: a stage's
 * value, an argument, an app's value, the file's own value, the default.
 *
 * @param defaults the settings of a call without arguments
 * @param only the one app that is wanted; "" for all
 * @throws UserError with line and column for a mistake in the file
 */
export async function appsOf(settings: Settings, defaults: Settings, only: string): Promise<App[]> {
  const text = await read(sourceOf(settings))
  const none: Level = { block: new Map(), stages: new Map() }
  const { own, apps } = text === undefined ? { own: none, apps: new Map() } : await parse(text, defaults)
  const make = (name: string, level: Level, given = settings): App => {
    const blocks = [own.block, level.block]
    const known = new Map([...own.stages, ...level.stages])
    const stages = [...known].map(([stage]): Stage => {
      const [ofFile, ofApp] = [own.stages.get(stage), level.stages.get(stage)]
      const blocksOf = [ofFile, ofApp].flatMap(it => it?.block ?? [])
      const after = ofApp?.after ?? ofFile?.after
      const images = ofApp?.images ?? ofFile?.images ?? "copy"
      // A stage's own value wins over an argument that is about all stages, such as the region of a whole CI system.
      const of = Object.fromEntries(
        blocksOf.flatMap(block => [...block].map(([key, { value }]) => [key, value])),
      )
      return {
        name: stage,
        after,
        images,
        settings: { ...merged(given, defaults, blocks), ...of } as Settings,
      }
    })
    const at = (stage: string) => known.get(stage)?.at ?? configFile
    return { name, settings: merged(given, defaults, blocks), stages: ordered(stages, at) }
  }
  const all = [...apps].map(([name, level]) => make(name, level))
  // Arguments are for the one app, if one is named: what the others would have with them does not matter.
  assertApart(only === "" ? all : [...apps].map(([name, level]) => make(name, level, defaults)))
  if (only !== "") {
    const found = all.filter(({ name }) => name === only)
    if (found.length > 0) return found
    const known = all.map(({ name }) => name).join(", ")
    throw new UserError(
      `There is no app "${only.slice(0, 100)}" in ${configFile}.`,
      known === "" ? "It has no apps." : `It has: ${known}.`,
      "Pass --app with one of them.",
    )
  }
  return all.length > 0 ? all : [make("", none)]
}

/** The error for a call that works on one app if there are several. */
export function severalApps(apps: (App | undefined)[]): UserError {
  return new UserError(
    `This works on one app, but ${configFile} has ${apps.length}.`,
    `They are: ${apps.map(app => app?.name).join(", ")}.`,
    "Pass --app with one of them.",
  )
}

/** Runs something for all apps in parallel; returns each result with the app's name, or throws the first error. */
export function eachApp<T>(
  apps: App[],
  work: (app: App) => Promise<T>,
): Promise<[name: string, result: T][]> {
  return Promise.all(
    apps.map(async (app): Promise<[string, T]> => {
      try {
        return [app.name, await work(app)]
      } catch (error) {
        if (app.name === "") throw error
        // An error of a command is passed on as it is, so that its output stays with it.
        if (!(error instanceof UserError)) {
          console.log(`${app.name}: failed`)
          throw error
        }
        throw new UserError(`${app.name}: ${error.message}`)
      }
    }),
  )
}

/** Apps that share a repository, a tag prefix or a service would get each other's images and versions. */
function assertApart(apps: App[]): void {
  const places = apps.flatMap(({ name, settings, stages }) =>
    (stages.length > 0 ? stages : [{ settings }]).map(it => ({ name, settings: it.settings })),
  )
  for (const [at, one] of places.entries()) {
    for (const other of places.slice(at + 1)) {
      if (one.name === other.name) continue
      const [a, b] = [one.settings, other.settings]
      const services = partsOf(a.service).filter(it => partsOf(b.service).includes(it))
      // Of the same name in another region or account, it is another one.
      const [own, its] = [a, b].map(it => it.account || it.roleArn.split(":")[4] || "")
      const isPlace = a.region === b.region && (own === its || own === "" || its === "")
      const shared =
        (isPlace && a.repository !== "" && a.repository === b.repository && "repository") ||
        (a.tagPrefix === b.tagPrefix && "tagPrefix") ||
        (isPlace && a.cluster === b.cluster && services.length > 0 && "service")
      if (!shared) continue
      throw new UserError(
        `The apps ${one.name} and ${other.name} have the same ${shared}: ${JSON.stringify(a[shared])}.`,
        "One would get the other's versions or images.",
        `Give each app its own ${shared} in ${configFile}, and do not pass it as an argument.`,
      )
    }
  }
}

async function read(source: Directory): Promise<string | undefined> {
  return (await source.exists(configFile)) ? source.file(configFile).contents() : undefined
}

/** The settings of a call: arguments first, then the values of the blocks; a later block wins. */
function merged(settings: Settings, defaults: Settings, blocks: Block[]): Settings {
  const values = { ...settings } as Record<string, unknown>
  for (const [key, { value }] of blocks.flatMap(block => [...block])) {
    const given = settings[key as keyof Settings]
    if (String(given) === String(defaults[key as keyof Settings])) values[key] = value
  }
  return values as Settings
}

/**
 * Reads the file. Pure.
 *
 * @param defaults names the keys: every setting that is text, or a list of text
 */
export async function parse(
  text: string,
  defaults: Settings,
): Promise<{ own: Level; apps: Map<string, Level> }> {
  const { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } = await import("yaml")
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter })
  const place = (offset = 0) => {
    const { line, col } = counter.linePos(offset)
    return `${configFile}:${line}:${col}`
  }
  const [mistake] = document.errors
  if (mistake)
    throw wrong(place(mistake.pos[0]), mistake.message.split("\n")[0]?.replace(/ at line .*/, "") ?? "")
  const known = Object.entries(defaults).flatMap(([key, value]) =>
    (typeof value === "string" && !refused.includes(key)) || lists.includes(key) ? key : [],
  )

  const pairs = (node: unknown, what: string, at: string): [key: string, value: unknown, at: string][] => {
    if (node === null || (isScalar(node) && node.value === null)) return []
    if (!isMap(node)) throw wrong(at, `${what} has to consist of keys with values`)
    return node.items.map(({ key, value }) => {
      const where = place(isScalar(key) ? key.range?.[0] : undefined)
      if (!isScalar(key) || typeof key.value !== "string")
        throw wrong(where, "a key has to be text; put it in quotes")
      return [key.value, isAlias(value) ? value.resolve(document) : value, where]
    })
  }
  const textOf = (node: unknown) =>
    isScalar(node) && typeof node.value === "string" ? node.value : undefined
  const asText = (key: string, node: unknown, at: string): string | string[] => {
    const items = isSeq(node) ? node.items.map(textOf) : undefined
    const all = items?.every(it => it !== undefined) ? items : undefined
    const joined = severalNames.includes(key) ? all?.join(",") : undefined
    const found = lists.includes(key) ? all : (joined ?? textOf(node))
    if (found !== undefined) return found
    throw wrong(at, `${key} has to be ${lists.includes(key) ? "a list of text" : "text; put it in quotes"}`)
  }
  const blockOf = (entries: [string, unknown, string][], also: string[]): Block => {
    const block: Block = new Map()
    for (const [key, node, at] of entries) {
      if (!known.includes(key))
        throw wrong(at, `unknown key ${JSON.stringify(key)}${nearest(key, [...known, ...also])}`)
      const position = isScalar(node) || isSeq(node) ? place(node.range?.[0]) : at
      block.set(key, { value: asText(key, node, position), at: position })
    }
    const values = Object.fromEntries([...block].map(([key, { value }]) => [key, value]))
    // Services and their templates may be in different blocks; their numbers are compared once all blocks are merged.
    const service = partsOf(String(values.template ?? "-")).map((_, at) => `-${at}`)
    const bad = firstMistake({ ...defaults, service: service.join(), ...values } as Settings)
    if (bad) throw wrong(block.get(bad.key)?.at ?? configFile, `${bad.key} must be ${bad.takes}`)
    try {
      parseArgs((values.buildArgs as string[] | undefined) ?? [])
    } catch {
      throw wrong(block.get("buildArgs")?.at ?? configFile, "buildArgs must be a list of KEY=VALUE")
    }
    return block
  }

  const named = (kind: string, name: string, where: string) => {
    if (!/^[\w.-]+$/.test(name))
      throw wrong(where, `${kind} name may have letters, digits, hyphens, dots and underscores only`)
  }
  const stageOf = (name: string, node: unknown, at: string): StageBlock => {
    named("a stage's", name, at)
    const stage: StageBlock = { block: new Map(), at }
    const rest = pairs(node, `the stage ${name}`, at).filter(([key, value, where]) => {
      if (key !== "after" && key !== "images") return true
      const text = asText(key, value, where) as string
      if (key === "after") stage.after = text
      else if (text === "copy" || text === "pull") stage.images = text
      else throw wrong(where, "images must be copy or pull")
      return false
    })
    return { ...stage, block: blockOf(rest, ["after", "images"]) }
  }
  const levelOf = (entries: [string, unknown, string][], also: string[]): Level => {
    const stages = new Map<string, StageBlock>()
    for (const [, node, at] of entries.filter(([key]) => key === "stages")) {
      for (const [name, stage, where] of pairs(node, "stages", at))
        stages.set(name, stageOf(name, stage, where))
    }
    const rest = entries.filter(([key]) => key !== "stages")
    return { block: blockOf(rest, [...also, "stages"]), stages }
  }

  const top = pairs(document.contents, "the file", place())
  const apps = new Map<string, Level>()
  for (const [, node, at] of top.filter(([key]) => key === "apps")) {
    for (const [name, app, where] of pairs(node, "apps", at)) {
      named("an app's", name, where)
      apps.set(name, levelOf(pairs(app, `the app ${name}`, where), []))
    }
  }
  const own = top.filter(([key]) => key !== "apps")
  return { own: levelOf(own, ["apps"]), apps }
}

function wrong(at: string, what: string): UserError {
  return new UserError(
    `${at}: ${what}.`,
    "",
    `Correct ${configFile}; its keys are those of \`dagger call --help\`, in camelCase.`,
  )
}

/** `; did you mean X?`, if a known key differs only in case, hyphens and underscores. */
function nearest(key: string, known: string[]): string {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, "")
  const found = known.find(it => plain(it) === plain(key))
  return found ? `; did you mean ${found}?` : ""
}
