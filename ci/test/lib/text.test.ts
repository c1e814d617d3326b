import { expect, test } from "vitest"
import { UserError } from "../../src/lib/errors.js"
import { printable } from "../../src/lib/text.js"

test.each([
  ["feat: \u001b[2J\u001b]0;owned\u0007", "feat: \\u001b[2J\\u001b]0;owned\\u0007"],
  ["v1.0.0\u202e0.0.2v", "v1.0.0\\u202e0.0.2v"],
  ["a\rb\u0085c\u2066d", "a\\u000db\\u0085c\\u2066d"],
  ["line\n\ttab, é, 日本, 🚀", "line\n\ttab, é, 日本, 🚀"],
])("%j is printed as %j", (text, shown) => expect(printable(text)).toBe(shown))

test("JSON stays the same JSON", () => {
  const value = { subject: "a\u0001\u202e\u2028\u009b\n" }
  const text = printable(JSON.stringify(value))
  expect(JSON.parse(text)).toEqual(value)
  expect(text).not.toMatch(/[\u202e\u2028\u009b]/)
})

test("an error's message is printable", () =>
  expect(new UserError("what\u001b[1m", "why\u202e", "do").message).toBe("what\\u001b[1m\nwhy\\u202e\n→ do"))
