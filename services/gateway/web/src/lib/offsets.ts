/** The services count Unicode code points, JavaScript counts UTF-16 units. Converted here and nowhere else. */

/** Where each code point of a text begins, in UTF-16 units; one more entry for the end. */
export class Offsets {
  readonly #starts: number[] = []

  constructor(text: string) {
    let unit = 0
    for (const character of text) {
      this.#starts.push(unit)
      unit += character.length
    }
    this.#starts.push(unit)
  }

  /** Code points in the text. */
  get length(): number {
    return this.#starts.length - 1
  }

  /** UTF-16 offset of a code point; beyond the end: the end. */
  toUnits(point: number): number {
    return this.#starts[Math.max(0, Math.min(point, this.length))] as number
  }

  /** The code point that a UTF-16 offset is in, or begins. */
  toPoints(unit: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] as number) <= unit) low = middle
      else high = middle - 1
    }
    return low
  }
}
