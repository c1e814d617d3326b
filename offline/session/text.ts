import { StringDecoder } from "node:string_decoder"

/** Replaces secrets' values by `***`, each as it is and without the white space around it, longest first. */
export class Scrubber {
  private readonly values: string[]

  constructor(plaintexts: string[]) {
    const forms = plaintexts.flatMap(text => [text, text.trim()]).filter(text => text !== "")
    this.values = [...new Set(forms)].sort((a, b) => b.length - a.length)
  }

  text(output: string): string {
    return this.values.reduce((text, value) => text.replaceAll(value, "***"), output)
  }

  /** For single lines of an output: a secret of several lines is looked for line by line. */
  get lines(): Scrubber {
    return new Scrubber(this.values.flatMap(value => value.split("\n")))
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
