import { StringDecoder } from "node:string_decoder"

/** Replaces secrets' values by `***`, each as it is and without the white space around it, longest first. */
export class Scrubber {
  private readonly values: Buffer[]

  constructor(plaintexts: string[]) {
    const forms = plaintexts.flatMap(text => [text, text.trim()]).filter(text => text !== "")
    this.values = [...new Set(forms)].sort((a, b) => b.length - a.length).map(text => Buffer.from(text))
  }

  bytes(output: Buffer): Buffer {
    const stars = Buffer.from("***")
    let clean = output
    for (const value of this.values) {
      const parts: Buffer[] = []
      let from = 0
      for (let at = clean.indexOf(value); at >= 0; at = clean.indexOf(value, from)) {
        parts.push(clean.subarray(from, at), stars)
        from = at + value.length
      }
      if (parts.length > 0) clean = Buffer.concat([...parts, clean.subarray(from)])
    }
    return clean
  }

  text(output: string): string {
    return this.values.length === 0 ? output : this.bytes(Buffer.from(output)).toString()
  }

  /** For single lines of an output: a secret of several lines is looked for line by line. */
  get lines(): Scrubber {
    return new Scrubber(this.values.flatMap(value => value.toString().split("\n")))
  }
}

/** Cuts a stream of bytes into lines and hands on each, without secrets. */
export class LineLog {
  private pending: string[] = []
  private readonly decoder = new StringDecoder()
  private readonly scrubber: Scrubber

  constructor(
    private readonly log: (line: string) => void,
    scrubber: Scrubber,
  ) {
    this.scrubber = scrubber.lines
  }

  take(part: Buffer): void {
    const [first = "", ...others] = this.decoder.write(part).split("\n")
    this.pending.push(first)
    for (const next of others) {
      this.log(this.scrubber.text(this.pending.join("").replace(/\r$/, "")))
      this.pending = [next]
    }
  }

  end(): void {
    if (this.pending.join("") !== "") this.take(Buffer.from("\n"))
  }
}

/** Replaces `$NAME` and `${NAME}` by values, as Go's os.Expand does; one without a value becomes nothing. */
export function expand(text: string, value: (name: string) => string | undefined): string {
  return text.replace(
    /\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_, braced, bare) => value(braced ?? bare) ?? "",
  )
}
