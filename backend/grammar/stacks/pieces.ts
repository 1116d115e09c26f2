import type { Grammar, ObjectPlan, PieceId, PieceTables } from '../grammar.ts'
import { literalTables } from '../literal-trie.ts'
import { FreeString } from '../pieces/free-string.ts'
import { KeyText } from '../pieces/key-text.ts'
import { LiteralText } from '../pieces/literal-text.ts'
import { NumberText } from '../pieces/number-text.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import type { Piece } from '../pieces/piece.ts'

const punctuation = (...texts: readonly string[]) => new LiteralText(literalTables(texts))

export const openArray = punctuation('[')
export const closeArray = punctuation(']')
export const openObject = punctuation('{')
export const closeObject = punctuation('}')
/** One space may follow, because models are used to it; more could go on forever. */
export const comma = punctuation(',', ', ')
export const colon = punctuation(':', ': ')

/** The automata of a grammar's pieces: one each, so that equal heads are recognised as equal. */
export class Pieces {
  readonly #grammar: Grammar
  readonly #pieces: readonly (Piece | undefined)[]
  readonly #keys = new Map<ObjectPlan, Map<number, KeyText>>()

  constructor(grammar: Grammar) {
    this.#grammar = grammar
    this.#pieces = grammar.pieces.map(pieceOf)
  }

  get(id: PieceId): Piece {
    return this.#pieces[id]!
  }

  /** The keys of properties `from` to `to`, both included. */
  keys(plan: ObjectPlan, from: number, to: number): KeyText {
    const known = this.#keys.get(plan) ?? new Map<number, KeyText>()
    this.#keys.set(plan, known)
    const name = from * (plan.properties.length + 1) + to
    const keys = known.get(name) ?? this.#makeKeys(plan, from, to)
    known.set(name, keys)
    return keys
  }

  #makeKeys(plan: ObjectPlan, from: number, to: number): KeyText {
    const tables = this.#grammar.pieces[plan.keys!]
    if (tables?.kind !== 'keys') throw new RangeError('An object without a trie of its keys')
    return new KeyText(tables, plan.properties, { from, to })
  }
}

/** Keys are created separately, for parts of their trie. */
function pieceOf(tables: PieceTables): Piece | undefined {
  switch (tables.kind) {
    case 'literal':
      return new LiteralText(tables)
    case 'string':
      return new FreeString(tables)
    case 'pattern':
      return new PatternString(tables)
    case 'number':
      return new NumberText(tables)
    case 'keys':
      return undefined
  }
}
