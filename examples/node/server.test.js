import { equal } from "node:assert/strict"
import { test } from "node:test"
import { answer } from "./server.js"

test("it says its version", () => equal(answer("/version", "1.2.3"), '{"version":"1.2.3"}\n'))
