/** Plans and pieces while a schema is being read; equal pieces are shared. */
import type {
  ArrayPlan,
  DecoderTables,
  ObjectPlan,
  PieceId,
  PieceTables,
  PlanId,
} from '../grammar.ts'
import { maxNumberRanges, maxPatternCellsInAll, maxPatterns } from '../limits.ts'
import { decoderOf } from './patterns/byte-decoder.ts'
import type { CharacterDfa } from './patterns/character-classes.ts'
import { dfaOfOthers } from './patterns/other-texts.ts'
import { PatternBudget } from './patterns/pattern-budget.ts'
import { dfaOfPattern } from './patterns/pattern-dfa.ts'
import { keyTables, literalTables } from '../literal-trie.ts'
import { numberTables, type NumberBounds } from './number-range.ts'
import { patternTables } from './patterns/pattern-tables.ts'

/** A plan whose parts may turn out to have no text, and whose unions may be nested. */
export type Draft =
  | { readonly kind: 'piece'; readonly piece: PieceId }
  /** One of several JSON texts. */
  | { readonly kind: 'literal'; readonly texts: readonly string[] }
  | { readonly kind: 'either'; readonly of: readonly PlanId[] }
  | ArrayPlan
  /** Without the trie of its keys. */
  | Omit<ObjectPlan, 'keys'>

/** A property that is always written although its schema does not require it. */
interface ForcedProperty {
  readonly name: string
  readonly pointer: string
  readonly value: PlanId
}

/** Matches nothing. */
export const nothing: Draft = { kind: 'either', of: [] }

/** Counts from here on never end a string, whatever the context: they mean that there is no limit. */
const endlessChars = 2 ** 26

export class Drafts {
  readonly plans: Draft[] = []
  readonly pieces: PieceTables[] = []
  readonly forced: ForcedProperty[] = []
  readonly #pieceIds = new Map<string, PieceId | undefined>()
  readonly #budget = new PatternBudget()
  readonly #decoders = new Map<string, DecoderTables>()
  #patternCells = 0
  #patterns = 0
  #ranges = 0

  /** Reserves an index for a plan that is created later. */
  reserve(): PlanId {
    return this.plans.push(nothing) - 1
  }

  add(draft: Draft): PlanId {
    return this.plans.push(draft) - 1
  }

  /** @param texts of JSON values; may be empty */
  literal(texts: readonly string[]): Draft {
    return texts.length === 0 ? nothing : { kind: 'literal', texts: [...new Set(texts)] }
  }

  literalPiece(texts: readonly string[]): PieceId {
    return this.#piece(`literal ${JSON.stringify(texts)}`, () => literalTables(texts))!
  }

  /** @param keys of an object, with their colons */
  keysPiece(keys: readonly string[]): PieceId {
    return this.#piece(`keys ${JSON.stringify(keys)}`, () => keyTables(keys))!
  }

  string(min: number, max: number): PieceId | undefined {
    if (min > max) return undefined
    const most = max < endlessChars ? max : Infinity
    return this.#piece(`string ${min} ${most}`, () => ({ kind: 'string', min, max: most }))
  }

  /** @throws {RangeError} with a message for its author, when there are too many ranges */
  number(bounds: NumberBounds): PieceId | undefined {
    return this.#piece(`number ${JSON.stringify(bounds)}`, () => {
      this.#ranges += 1
      if (this.#ranges <= maxNumberRanges) return numberTables(bounds)
      throw new RangeError(`more than ${maxNumberRanges} different ranges of numbers`)
    })
  }

  /** @throws {RangeError} with a message for its author, when a pattern cannot be used */
  pattern(pattern: string, min: number, max: number): PieceId | undefined {
    return this.#patternPiece(
      `pattern ${min} ${max} ${pattern}`,
      () => dfaOfPattern(pattern, this.#budget),
      min,
      max,
    )
  }

  /** All strings except the given ones. */
  stringBut(texts: readonly string[]): PieceId {
    return this.#patternPiece(
      `but ${JSON.stringify(texts)}`,
      () => dfaOfOthers(texts),
      0,
      Infinity,
    )!
  }

  #patternPiece(name: string, make: () => CharacterDfa, min: number, max: number) {
    return this.#piece(name, () => {
      this.#patterns += 1
      if (this.#patterns > maxPatterns) {
        throw new RangeError(`more than ${maxPatterns} different patterns and formats`)
      }
      const tables = patternTables(make(), { min, max }, (dfa) => this.#decoderOf(dfa))
      this.#patternCells += tables?.table.length ?? 0
      if (this.#patternCells <= maxPatternCellsInAll) return tables
      throw new RangeError('a pattern that is too large together with the others')
    })
  }

  /** Patterns that tell the same characters apart share a decoder, which takes longer to make than most of them. */
  #decoderOf(dfa: CharacterDfa): DecoderTables {
    const name = `${dfa.starts.join()} ${dfa.classes.join()}`
    const decoder = this.#decoders.get(name) ?? decoderOf(dfa)
    this.#decoders.set(name, decoder)
    return decoder
  }

  #piece(name: string, make: () => PieceTables | undefined): PieceId | undefined {
    if (this.#pieceIds.has(name)) return this.#pieceIds.get(name)
    const tables = make()
    const id = tables === undefined ? undefined : this.pieces.push(tables) - 1
    this.#pieceIds.set(name, id)
    return id
  }
}
