import { maxCharacterProperties, maxPatternPositions, maxPatternStates } from '../../limits.ts'

export const lastCodePoint = 0x10_ffff

/** What the patterns of one schema may still use. Each method throws a RangeError, with a message for their author. */
export class PatternBudget {
  readonly #properties = new Set<string>()
  #positions = 0
  #states = 0

  /** @param properties `\p{...}` of a pattern */
  takeProperties(properties: readonly string[]): void {
    for (const property of properties) this.#properties.add(property)
    if (this.#properties.size <= maxCharacterProperties) return
    throw new RangeError(`patterns with more than ${maxCharacterProperties} different \\p{...}`)
  }

  takePosition(): void {
    this.#positions += 1
    if (this.#positions > maxPatternPositions) throw tooLarge()
  }

  takeState(): void {
    this.#states += 1
    if (this.#states > maxPatternStates) throw tooLarge()
  }
}

function tooLarge(): RangeError {
  return new RangeError(
    `a pattern that, together with those before it, needs more than ${maxPatternPositions} states, or ${maxPatternStates} once it is deterministic`,
  )
}
