import { CharSet, type Element, type Expression, type NoParent, type Quantifier } from 'refa'
import { maxPatternPositions } from '../../limits.ts'
import { setBit, wordsFor } from '../../masks/bits.ts'
import { lastCodePoint, type PatternBudget } from './pattern-budget.ts'

/** Where a regular expression reads characters, and which of these positions may follow each other (Glushkov 1961). */
export interface Positions {
  /** The characters of each position; none of position 0, which is before the text. */
  readonly sets: readonly CharSet[]
  /** By position: those that may follow, as a set of bits. */
  readonly following: readonly Int32Array[]
  /** Those at which the text may end. */
  readonly ends: readonly number[]
}

type Alternatives = NoParent<Expression>['alternatives']

/** @throws {RangeError} when the budget is exceeded */
export function positionsOf(expression: NoParent<Expression>, budget: PatternBudget): Positions {
  return new PositionReader(budget).read(expression.alternatives)
}

/** A part of an expression: the positions with which it may begin and end, and whether it may be empty. */
interface Part {
  readonly first: readonly number[]
  readonly last: readonly number[]
  readonly mayBeEmpty: boolean
}

const empty: Part = { first: [], last: [], mayBeEmpty: true }

class PositionReader {
  readonly #sets: CharSet[] = []
  readonly #following: Int32Array[] = []
  readonly #budget: PatternBudget

  constructor(budget: PatternBudget) {
    this.#budget = budget
  }

  read(alternatives: Alternatives): Positions {
    const start = this.#position(CharSet.empty(lastCodePoint))
    const { first, last, mayBeEmpty } = this.#either(alternatives)
    this.#link([start], first)
    const ends = mayBeEmpty ? [start, ...last] : last
    return { sets: this.#sets, following: this.#following, ends }
  }

  #either(alternatives: Alternatives): Part {
    const parts = alternatives.map(({ elements }) =>
      elements.reduce((before: Part, element) => this.#then(before, this.#element(element)), empty),
    )
    return {
      first: parts.flatMap(({ first }) => first),
      last: parts.flatMap(({ last }) => last),
      mayBeEmpty: parts.some(({ mayBeEmpty }) => mayBeEmpty),
    }
  }

  #then(one: Part, other: Part): Part {
    this.#link(one.last, other.first)
    return {
      first: one.mayBeEmpty ? [...one.first, ...other.first] : one.first,
      last: other.mayBeEmpty ? [...one.last, ...other.last] : other.last,
      mayBeEmpty: one.mayBeEmpty && other.mayBeEmpty,
    }
  }

  #element(element: NoParent<Element>): Part {
    switch (element.type) {
      case 'CharacterClass': {
        const positions = [this.#position(element.characters)]
        return { first: positions, last: positions, mayBeEmpty: false }
      }
      case 'Alternation':
        return this.#either(element.alternatives)
      case 'Quantifier':
        return this.#repeated(element)
      case 'Assertion':
      case 'Unknown':
        throw new RangeError(`a pattern with something that is not supported: ${element.type}`)
    }
  }

  /** Copies, each of which may follow the one before it. Of a part that may be empty, any number of copies is enough. */
  #repeated({ alternatives, min, max }: NoParent<Quantifier>): Part {
    if (max === 0) return empty
    let latest = this.#either(alternatives)
    const { first } = latest
    const mayBeEmpty = min === 0 || latest.mayBeEmpty
    // Copies of what reads nothing would be free, however many.
    if (first.length === 0) return { first, last: [], mayBeEmpty }
    const least = mayBeEmpty ? 1 : min
    const copies = max === Infinity ? least : max
    const last = least === 1 ? [...latest.last] : []
    for (let count = 2; count <= copies; count++) {
      const next = this.#either(alternatives)
      this.#link(latest.last, next.first)
      if (count >= least) last.push(...next.last)
      latest = next
    }
    if (max === Infinity) this.#link(latest.last, latest.first)
    return { first, last, mayBeEmpty }
  }

  #position(set: CharSet): number {
    this.#budget.takePosition()
    this.#following.push(new Int32Array(wordsFor(maxPatternPositions)))
    return this.#sets.push(set) - 1
  }

  #link(from: readonly number[], to: readonly number[]): void {
    for (const one of from) for (const other of to) setBit(this.#following[one]!, other)
  }
}
