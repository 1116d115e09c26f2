import type { Settled } from '../../grammar/constraint.ts'
import type { Vocabulary } from '../../grammar/masks/vocabulary.ts'
import type { GenerateJob, ThoughtMarks } from '../job.ts'
import { AnyText, type TokenRule } from './token-rule.ts'

/** The rule of an answer that can be brought to an end. */
export interface AnswerRule extends TokenRule {
  /** Tokens of a short whole answer, while none of it has been picked. */
  readonly leastTokens: number
}

interface ThoughtFirstParts extends Pick<GenerateJob, 'controlIdsFrom' | 'thoughtTokens'> {
  readonly marks: ThoughtMarks
  readonly vocabulary: Pick<Vocabulary, 'bytesOf' | 'tokensOf'>
  readonly answer: AnswerRule
}

/**
 * Has a model think before an answer: the mark that begins a thought, any text up to the mark that ends it, and from there on
 * what the answer's rule allows. No stop token can end the thought. It is ended when its own tokens are used up, and before all
 * run out, in time for a short answer, as long as one fits.
 */
export class ThoughtFirst implements TokenRule {
  readonly #vocabulary: ThoughtFirstParts['vocabulary']
  readonly #answer: AnswerRule
  readonly #leastTokens: number
  readonly #end: readonly number[]
  /** Bytes of the mark, one a character. */
  readonly #endText: string
  readonly #anyText: TokenRule
  readonly #forced: ForcedTokens
  /** The rule of the token that is being picked. */
  #rule: TokenRule
  /** Tokens that the thought may still have. */
  #thoughtLeft: number
  /** The latest bytes of the thought, in which the mark may have begun; undefined once it has ended. */
  #tail: string | undefined = ''

  constructor(parts: ThoughtFirstParts) {
    const { marks, vocabulary, answer, controlIdsFrom, thoughtTokens = Infinity } = parts
    this.#thoughtLeft = thoughtTokens
    this.#vocabulary = vocabulary
    this.#answer = answer
    this.#leastTokens = answer.leastTokens
    this.#end = marks.end
    this.#endText = marks.end.map((id) => latin1(vocabulary.bytesOf(id))).join('')
    this.#anyText = new AnyText({ stopIds: [], controlIdsFrom })
    this.#forced = new ForcedTokens(marks.begin)
    this.#rule = this.#forced
  }

  prepare(): void {
    this.#nextRule().prepare()
  }

  pack(logits: Float32Array): Float32Array {
    this.#rule = this.#nextRule()
    return this.#rule.pack(logits)
  }

  filter(): (id: number) => boolean {
    this.#rule = this.#nextRule()
    return this.#rule.filter()
  }

  idAt(position: number): number {
    return this.#rule.idAt(position)
  }

  positionOf(id: number): number {
    return this.#rule.positionOf(id)
  }

  settle(picked: number, tokensLeft: number): Settled {
    if (this.#rule === this.#answer) return this.#answer.settle(picked, tokensLeft)
    const { id } =
      this.#rule === this.#forced ? this.#forced.settle(picked) : this.#chosen(picked, tokensLeft)
    this.#take(id)
    return { id }
  }

  #nextRule(): TokenRule {
    if (!this.#forced.isEmpty) return this.#forced
    return this.#tail === undefined ? this.#answer : this.#anyText
  }

  /** The picked token, or the first of those that are written in its place. */
  #chosen(picked: number, tokensLeft: number): Settled {
    // Where not even this many are left, no answer fits, and the thought may as well go on.
    const isLate = tokensLeft === this.#end.length + this.#leastTokens
    if (isLate || this.#thoughtLeft <= this.#end.length) return this.#forced.begin(this.#end)
    const bytes = latin1(this.#vocabulary.bytesOf(picked))
    const rest = this.#restBehindMark(bytes)
    if (rest === undefined || isBlank(rest)) return { id: picked }
    // A token with the beginning of the answer in it, which no rule has allowed.
    const kept = Buffer.from(bytes.slice(0, bytes.length - rest.length), 'latin1')
    return this.#forced.begin(this.#vocabulary.tokensOf(kept))
  }

  #take(id: number): void {
    this.#thoughtLeft -= 1
    const bytes = latin1(this.#vocabulary.bytesOf(id))
    if (this.#restBehindMark(bytes) !== undefined) this.#tail = undefined
    else this.#tail = (this.#tail + bytes).slice(1 - this.#endText.length)
  }

  /** What follows the mark when these bytes complete it. */
  #restBehindMark(bytes: string): string | undefined {
    const text = this.#tail + bytes
    const at = text.indexOf(this.#endText)
    return at < 0 ? undefined : text.slice(at + this.#endText.length)
  }
}

/** Tokens that come whatever the model makes of them. */
class ForcedTokens implements TokenRule {
  #left: readonly number[]

  constructor(ids: readonly number[]) {
    this.#left = ids
  }

  get isEmpty(): boolean {
    return this.#left.length === 0
  }

  /** Writes these in place of another token. @returns the first of them */
  begin([first, ...others]: readonly number[]): Settled {
    this.#left = others
    return { id: first! }
  }

  prepare(): void {
    // Nothing takes time.
  }

  pack(logits: Float32Array): Float32Array {
    const id = this.idAt()
    return logits.subarray(id, id + 1)
  }

  filter(): (id: number) => boolean {
    return (id) => id === this.#left[0]
  }

  idAt(): number {
    return this.#left[0]!
  }

  positionOf(): number {
    return 0
  }

  settle(picked: number): Settled {
    this.#left = this.#left.slice(1)
    return { id: picked }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function isBlank(text: string): boolean {
  return /^[\t\n\r ]*$/.test(text)
}
