/** One stop string, and how much of it the end of the text matches. */
interface StopState {
  readonly stop: string
  /** For each length of a matched prefix: the length of the longest shorter prefix that it ends with. */
  readonly fallback: readonly number[]
  matched: number
}

/**
 * Searches for stop strings in text that arrives in pieces, and passes on all text that cannot be part of one. The
 * stop string completed first ends the text just before it; of several completed at once, the longest. So the result
 * does not depend on how the text is divided. Each character is looked at once per stop string (Knuth, Morris and
 * Pratt, "Fast pattern matching in strings").
 */
export class StopMatcher {
  readonly #states: readonly StopState[]
  #held = ''
  #stoppedBy: string | undefined
  #rest = ''

  /** @param stops none of them empty */
  constructor(stops: readonly string[]) {
    this.#states = stops.map((stop) => ({ stop, fallback: fallbackOf(stop), matched: 0 }))
  }

  /** Whether a stop string was found; everything after it is dropped. */
  get stopped(): boolean {
    return this.#stoppedBy !== undefined
  }

  /** The string that came; undefined while none has. */
  get stoppedBy(): string | undefined {
    return this.#stoppedBy
  }

  /** What came behind that string in the same piece of text. */
  get rest(): string {
    return this.#rest
  }

  /** @returns text that is certain to be part of the answer; may be empty */
  push(text: string): string {
    if (this.stopped) return ''
    const all = this.#held + text
    for (let at = this.#held.length; at < all.length; at++) {
      const found = this.#advance(all.charCodeAt(at))
      if (found === 0) continue
      this.#stoppedBy = all.slice(at + 1 - found, at + 1)
      this.#rest = all.slice(at + 1)
      return all.slice(0, at + 1 - found)
    }
    const certain =
      all.length - this.#states.reduce((most, { matched }) => Math.max(most, matched), 0)
    this.#held = all.slice(certain)
    return all.slice(0, certain)
  }

  /** Call once at the end of the text. @returns what was held back */
  flush(): string {
    return this.stopped ? '' : this.#held
  }

  /** @returns length of the longest stop string that this character completes, or 0 */
  #advance(character: number): number {
    let found = 0
    for (const state of this.#states) {
      state.matched = nextLength(state.stop, state.fallback, state.matched, character)
      if (state.matched === state.stop.length) found = Math.max(found, state.matched)
    }
    return found
  }
}

/**
 * Length of the prefix of `stop` that the text ends with after `character`, given that it ended with one of `matched`
 * before.
 */
function nextLength(
  stop: string,
  fallback: readonly number[],
  matched: number,
  character: number,
): number {
  let length = matched
  while (length > 0 && stop.charCodeAt(length) !== character) length = fallback[length]!
  return stop.charCodeAt(length) === character ? length + 1 : 0
}

function fallbackOf(stop: string): readonly number[] {
  const fallback = [0, 0]
  for (let length = 1; length < stop.length; length++) {
    fallback.push(nextLength(stop, fallback, fallback[length]!, stop.charCodeAt(length)))
  }
  return fallback
}
