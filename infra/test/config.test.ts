import { describe, expect, it } from "vitest"
import { config } from "../config.js"
import { missing } from "../lib/complete.js"
import { without } from "../lib/emulator.js"
import { changed } from "../lib/settings.js"
import { complete } from "./variants.js"

describe("config.ts", () => {
  it("asks for the repository and the connection first", () => {
    expect(missing(config).map(it => it.split(":")[0])).toEqual(["source.repository", "source.connectionArn"])
    expect(missing(complete)).toEqual([])
  })

  it("is refused if it cannot work", () => {
    const broken = changed(complete, [
      "access.allowedCidrs=[]",
      "tasks.max=0",
      "container.healthPath=healthz",
    ])
    expect(missing(broken)).toHaveLength(3)
  })
})

describe("a changed configuration", () => {
  it("has the value at the path, and leaves the original alone", () => {
    const it = changed(config, [
      "tasks.min=2",
      "placeholder.image=local/placeholder:1",
      "placeholder.command=[]",
    ])
    expect(it.tasks.min).toBe(2)
    expect(it.placeholder).toEqual({ image: "local/placeholder:1", command: [] })
    expect(config.tasks.min).toBe(1)
  })

  it("is refused if the path leads nowhere", () => {
    expect(() => changed(config, ["no.such=1"])).toThrow("config.ts has no no.such")
    expect(() => changed(config, ["tasks"])).toThrow('"tasks" is not PATH=VALUE')
  })
})

describe("leaving types out of a template", () => {
  const template = {
    Resources: { A: { Type: "T::A" }, B: { Type: "T::B", Properties: { of: { Ref: "A" } } } },
  }

  it("takes out only the resources of these types", () => {
    expect(without(template, ["T::B"])).toEqual({
      template: { Resources: { A: { Type: "T::A" } } },
      leftOut: ["B"],
    })
  })

  it("is refused if something that stays needs one", () => {
    expect(() => without(template, ["T::A"])).toThrow("What stays in the template needs A")
  })
})
