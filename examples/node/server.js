// The sample service: says its version, and that it is well.
import { createServer } from "node:http"

export const answer = (path, version) =>
  path === "/version" ? `${JSON.stringify({ version })}\n` : path === "/healthz" ? "ok\n" : undefined

if (process.argv[2] === "serve") {
  createServer((request, response) => {
    const text = answer(request.url, process.env.APP_VERSION)
    response.writeHead(text ? 200 : 404).end(text)
  }).listen(8000)
  process.on("SIGTERM", () => process.exit())
}
