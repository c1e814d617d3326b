/** A number with three digits that count, as short as it can be written. */
export function rounded(value: number): string {
  return String(Number(value.toPrecision(3)))
}
