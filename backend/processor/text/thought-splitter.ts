import { thoughtMarks } from '../../model/config/variant.ts'
import { StopMatcher } from './stop-matcher.ts'

/** What a piece of text adds to the thought, and then to the answer; either may be empty. */
export interface SplitText {
  readonly thought: string
  readonly answer: string
}

const nothing: SplitText = { thought: '', answer: '' }

/**
 * Where the text stands: before it is clear whether there is a thought, within it, in the blanks behind it, or in the
 * answer.
 */
type Place = 'opening' | 'thought' | 'gap' | 'answer'

/**
 * Divides what a model writes into its thought and its answer, as it arrives. A thought begins with its mark, as the very
 * first text, and ends with the other mark. The marks belong to neither part, nor do the blanks beside them; a mark that is
 * cut off at the end of the text is left out. The result does not depend on how the text is divided.
 */
export class ThoughtSplitter {
  #place: Place
  /** Text that may still become the first mark. */
  #held = ''
  readonly #end = new StopMatcher([thoughtMarks.end])
  readonly #thought = new Trimmer()

  /** @param reasons whether the model thinks; without that all is the answer */
  constructor(reasons: boolean) {
    this.#place = reasons ? 'opening' : 'answer'
  }

  get place(): Place {
    return this.#place
  }

  /** Characters that are held back until it is clear whether they are the answer. */
  get undecided(): number {
    return this.#held.length
  }

  push(text: string): SplitText {
    switch (this.#place) {
      case 'opening':
        return this.#open(text)
      case 'thought':
        return this.#think(text)
      case 'gap':
        return { thought: '', answer: this.#begin(text) }
      case 'answer':
        return { thought: '', answer: text }
    }
  }

  /** Call once at the end of the text: nothing that was held back is part of it. */
  end(): void {
    if (this.#held !== '') this.#place = 'thought'
    this.#held = ''
  }

  #open(text: string): SplitText {
    const { begin } = thoughtMarks
    this.#held += text
    const held = this.#held
    if (begin.length > held.length && begin.startsWith(held)) return nothing
    this.#held = ''
    if (!held.startsWith(begin)) {
      this.#place = 'answer'
      return { thought: '', answer: held }
    }
    this.#place = 'thought'
    return this.#think(held.slice(begin.length))
  }

  #think(text: string): SplitText {
    const thought = this.#thought.push(this.#end.push(text))
    if (!this.#end.stopped) return { thought, answer: '' }
    this.#place = 'gap'
    return { thought, answer: this.#begin(this.#end.rest) }
  }

  #begin(text: string): string {
    const answer = text.trimStart()
    if (answer !== '') this.#place = 'answer'
    return answer
  }
}

/** Passes text on without the blanks at its two ends. Looks at every character once. */
class Trimmer {
  #hasBegun = false
  #blanks = ''

  push(text: string): string {
    const rest = this.#hasBegun ? text : text.trimStart()
    const words = rest.trimEnd()
    if (words === '') {
      this.#blanks += rest
      return ''
    }
    const all = this.#blanks + words
    this.#hasBegun = true
    this.#blanks = rest.slice(words.length)
    return all
  }
}
