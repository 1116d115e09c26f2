/**
 * A JSON grammar as plain data: compiled in a thread beside the HTTP process and sent with each job. Plans say what a value
 * is made of and refer to each other by number; pieces are the tables of the automata that eat its bytes.
 */
export interface Grammar {
  /** A digest of what it was compiled from: equal keys, equal grammars. */
  readonly key: string
  readonly pieces: readonly PieceTables[]
  readonly plans: readonly Plan[]
  /** Bytes of the ending that `ending.ts` writes for each plan, from its beginning. */
  readonly least: Float64Array
  readonly root: PlanId
}

export type PlanId = number
export type PieceId = number

export type Plan = PiecePlan | EitherPlan | ArrayPlan | ObjectPlan

/** A value whose text is one piece. */
interface PiecePlan {
  readonly kind: 'piece'
  readonly piece: PieceId
}

/** One of several, none of which is itself `either`. */
export interface EitherPlan {
  readonly kind: 'either'
  readonly of: readonly PlanId[]
}

export interface ArrayPlan {
  readonly kind: 'array'
  /** Of the first items, in order. */
  readonly first: readonly PlanId[]
  /** Of all further ones; without it there are none. */
  readonly items: PlanId | undefined
  readonly min: number
  readonly max: number
}

export interface ObjectPlan {
  readonly kind: 'object'
  /** In the order in which they come. */
  readonly properties: readonly Property[]
  /** All keys with their colons, as one trie; without properties there is none. */
  readonly keys: PieceId | undefined
  /** Properties of other names, which come last. */
  readonly extra: { readonly key: PieceId; readonly value: PlanId } | undefined
  readonly min: number
  readonly max: number
}

export interface Property {
  /** As JSON text, with its colon. */
  readonly key: string
  /** Bytes of `key`. */
  readonly keyBytes: number
  readonly value: PlanId
  readonly required: boolean
}

export type PieceTables = LiteralTables | KeyTables | StringTables | PatternTables | NumberTables

/** A trie of texts. Node 0 is its root; the edges of a node stand together, by rising byte. */
export interface TrieTables {
  /** [nodes + 1] */
  readonly firstEdge: Int32Array
  readonly edgeBytes: Uint8Array
  readonly edgeTargets: Int32Array
  /** [nodes] 1 where a text ends. */
  readonly ends: Uint8Array
}

/** One of some texts. */
export interface LiteralTables extends TrieTables {
  readonly kind: 'literal'
  /** [nodes] Bytes to the nearest end. */
  readonly least: Int32Array
}

/** The keys of an object. */
export interface KeyTables extends TrieTables {
  readonly kind: 'keys'
  /** [nodes] Bytes from the root. */
  readonly depth: Int32Array
  /** [nodes + 1] and all together: the numbers of the properties at or below each node, rising. */
  readonly firstBelow: Int32Array
  readonly below: Int32Array
}

/** Any string with so many characters (code points). */
export interface StringTables {
  readonly kind: 'string'
  readonly min: number
  readonly max: number
}

/**
 * A string whose text a DFA over classes of characters accepts. Characters are written raw where JSON allows it, else by
 * their shortest escape.
 */
export interface PatternTables {
  readonly kind: 'pattern'
  readonly classes: number
  /** [states, classes]: the next state, or -1. From every state an accepting one can be reached. */
  readonly table: Int32Array
  /** [states] */
  readonly accepting: Uint8Array
  /** [states] Bytes to the end of the string, its quote counted. */
  readonly least: Int32Array
  readonly decoder: DecoderTables
}

/** Bytes within a string to classes of characters. State 0 is between two characters. */
export interface DecoderTables {
  /** [states, 256]: the next state; or -2 - class when the byte completes a character; or -1. */
  readonly table: Int16Array
  /** [states, classes]: bytes until a character of the class may be complete; 255 when it cannot. */
  readonly least: Uint8Array
}

/** Numbers of at most 15 digits, which doubles tell apart. */
export interface NumberTables {
  readonly kind: 'number'
  /** [states, 12]: the next state, or -1, by digit, minus (10) and point (11). */
  readonly table: Int16Array
  /** [states] */
  readonly accepting: Uint8Array
  /** [states] Bytes to an accepting state. */
  readonly least: Uint8Array
}
