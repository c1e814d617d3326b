import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** The SDK as the module's process wants it, made once for each version. */
export interface SdkFiles {
  version: string
  /** The SDK in one file, with the compiler that it scans with: it loads many times faster than the hundreds of files do. */
  bundle: string
  /** Makes the bundle what "@dagger.io/dagger" means to the module, wherever that is. */
  tsconfig: string
  /** The SDK's types as the scan sees them: client.gen.ts and an index. */
  types: string
  client: string
  /** An empty home directory. */
  home: string
}

/** Increased when the files' format changes. */
const FORM = 8

/** Finds or makes the files under `cache`; making them takes a few seconds. */
export async function sdkFiles(cache: string): Promise<SdkFiles> {
  const require = createRequire(import.meta.url)
  const sdk = join(dirname(require.resolve("@dagger.io/dagger")), "../..")
  const compiler = dirname(require.resolve("typescript"))
  const version = `${versionOf(sdk)}-${versionOf(dirname(compiler))}-${FORM}`
  const folder = join(cache, "sdk", version)
  if (!existsSync(folder)) {
    const building = `${folder}.${process.pid}`
    mkdirSync(join(building, "types"), { recursive: true })
    mkdirSync(join(building, "home"))
    writeTypes(sdk, join(building, "types"))
    writeTsconfig(building)
    await bundle(compiler, building)
    putInPlace(building, folder)
  }
  const types = join(folder, "types")
  return {
    version,
    types,
    client: join(types, "client.gen.ts"),
    bundle: join(folder, "sdk.mjs"),
    tsconfig: join(folder, "tsconfig.json"),
    home: join(folder, "home"),
  }
}

async function bundle(compiler: string, folder: string): Promise<void> {
  // Needed once for a version, and slow to load.
  const { build } = await import("esbuild")
  const contents = 'export * from "@dagger.io/dagger"\nexport { default as ts, keep } from "typescript"\n'
  await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    outfile: join(folder, "sdk.mjs"),
    bundle: true,
    minify: true,
    keepNames: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    alias: { typescript: "./compiler.mjs" },
    external: ["./compiler.mjs"],
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
  })
  const lines = [
    'import { fileURLToPath } from "node:url"',
    `import { loadCompiled } from ${JSON.stringify(new URL("load-compiled.mjs", import.meta.url).href)}`,
    'const kept = fileURLToPath(new URL("compiler", import.meta.url))',
    `const { exports, keep } = loadCompiled(${JSON.stringify(join(compiler, "typescript.js"))}, kept)`,
    // A copy: its functions may be replaced.
    "export default { ...exports }",
    "export { keep }",
  ]
  writeFileSync(join(folder, "compiler.mjs"), `${lines.join("\n")}\n`)
}

function writeTypes(sdk: string, folder: string): void {
  // Nobody reads its comments, and to parse them would take longer than the rest.
  const text = readFileSync(join(sdk, "dist/src/api/client.gen.d.ts"), "utf8")
  const client = text.replace(/\/\*\*[\s\S]*?\*\//g, "")
  // The scan looks for core types in a file of this name.
  writeFileSync(join(folder, "client.gen.ts"), withoutContext(client))
  const decorators = ["argument", "check", "enumType", "field", "func", "generate", "object", "up"]
  const others = ["connect", "connection", "DaggerSDKError", "ExecError", "GraphQLRequestError"]
  const names = [...decorators, ...others].map(name => `export declare const ${name}: any\n`)
  writeFileSync(join(folder, "index.d.ts"), `export * from "./client.gen.js"\n${names.join("")}`)
}

/** The types of the SDK's client as a file by itself. The scan doesn't care where the fields of core types live. */
export function withoutContext(client: string): string {
  return client.replace('import { Context } from "../common/context.js"', "type Context = unknown")
}

function writeTsconfig(folder: string): void {
  const paths = { "@dagger.io/dagger": ["./sdk.mjs"], "@dagger.io/dagger/telemetry": ["./sdk.mjs"] }
  const compilerOptions = {
    target: "ES2022",
    module: "ESNext",
    moduleResolution: "Bundler",
    experimentalDecorators: true,
    paths,
  }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["/**/*.ts"], exclude: [] }),
  )
}

function putInPlace(building: string, folder: string): void {
  try {
    renameSync(building, folder)
  } catch {
    // Another process was quicker.
    rmSync(building, { recursive: true })
  }
}

function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version
}
