import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { chromiumProgram } from "../../ci/test/dashboard/chromium.js"
import { animation, asciicast, essential, type Line } from "./cast.js"
import { project, TestWorld } from "./release.world.js"

// `npm run pictures`: releases in a world of its own, one of which ECS rolls back, and writes what there is to see to the documentation:
// the recorded release, and the dashboard.

const docs = join(project, "docs")

async function main(): Promise<void> {
  const world = new TestWorld()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  try {
    for (const message of ["feat: greet by name", "fix: answer in UTF-8", "feat(api): tell the version"]) {
      world.commit(message)
      say(await released(world))
    }
    const app = world.git("show", "HEAD:app/hello_world.py")
    world.commit("feat: a configuration file", {
      "app/hello_world.py": 'raise SystemExit("cannot read /etc/hello.toml: no such file")\n',
      "app/test_hello_world.py": "",
    })
    const recorded = await record(world, ["call", "--source", world.source, "release"])
    writeFileSync(join(docs, "rollback.cast"), asciicast(recorded, "dagger call release"))
    writeFileSync(join(docs, "rollback.svg"), animation(recorded, "dagger call release"))
    world.commit("fix: the configuration file may be missing", { "app/hello_world.py": `${app}\n` })
    say(await released(world))
    await photograph(world)
  } finally {
    await world.remove()
  }
}

async function released(world: TestWorld): Promise<string> {
  const { code, stdout, stderr } = await world.call("release")
  if (code !== 0) throw new Error(stderr)
  return stdout.split("\n", 1)[0] ?? ""
}

/** Runs the command, and notes when each line came. It has to end in a rollback. */
async function record(world: TestWorld, words: string[]): Promise<Line[]> {
  const start = Date.now()
  const lines: Line[] = []
  const { code } = await world.dagger(words, text => lines.push({ at: (Date.now() - start) / 1000, text }))
  if (code === 0 || !lines.some(({ text }) => text.includes("rolled back")))
    throw new Error("it was not rolled back")
  return essential(lines)
}

/** Takes the dashboard's pictures: light, dark, and on a phone. */
async function photograph(world: TestWorld): Promise<void> {
  const port = await freePort()
  const words = ["call", "--source", world.source, "dashboard", "--port", String(port), "up"]
  const up = spawn(join(project, "offline/dagger"), words, {
    cwd: project,
    env: world.environment,
    stdio: ["ignore", "ignore", "pipe"],
  })
  try {
    await new Promise<void>((ready, failed) => {
      let said = ""
      up.stderr.on("data", data => {
        said += data
        if (said.includes("tunnel: ")) ready()
      })
      up.once("close", () => failed(new Error(said)))
    })
    const browser = await chromium.launch({ executablePath: await chromiumProgram(), args: ["--no-sandbox"] })
    const pictures = [
      ["dashboard", "light", 1000, 760, false],
      ["dashboard-dark", "dark", 1000, 760, false],
      ["dashboard-whole", "light", 1000, 760, true],
      ["dashboard-phone", "dark", 390, 800, true],
    ] as const
    for (const [name, colorScheme, width, height, fullPage] of pictures) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height } })
      await page.goto(`http://127.0.0.1:${port}/`)
      await page.screenshot({ path: join(docs, `${name}.png`), fullPage })
    }
    await browser.close()
  } finally {
    up.kill("SIGINT")
  }
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

await main()
