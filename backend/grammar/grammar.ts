/**
 * A JSON grammar as plain data: compiled in a thread of the HTTP process and sent with each job. Plans describe what a
 * value consists of and refer to each other by index; pieces are the tables of the automata that read its bytes.
 */
export interface Grammar {
  /** A digest of its source: equal keys mean equal grammars. */
  readonly key: string
  readonly pieces: readonly PieceTables[]
  readonly plans: readonly Plan[]
  /** For each plan, bytes of the ending from its beginning (see `ending-cost.ts`). */
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
  /** Plans of the first items, in order. */
  readonly first: readonly PlanId[]
  /** Plan of all further items; undefined if there are none. */
  readonly items: PlanId | undefined
  readonly min: number
  readonly max: number
}

export interface ObjectPlan {
  readonly kind: 'object'
  /** In the order in which they come. */
  readonly properties: readonly Property[]
  /** All keys with their colons, as one trie; undefined without properties. */
  readonly keys: PieceId | undefined
  /** Other properties, which come last. */
  readonly extra: { readonly key: PieceId; readonly value: PlanId } | undefined
  readonly min: number
  readonly max: number
}

export interface Property {
  /** As JSON text, including its colon. */
  readonly key: string
  /** Bytes of `key`. */
  readonly keyBytes: number
  readonly value: PlanId
  readonly required: boolean
}

export type PieceTables = LiteralTables | KeyTables | StringTables | PatternTables | NumberTables

/** A trie of texts. Node 0 is its root; the edges of a node are adjacent, in ascending order of their bytes. */
export interface TrieTables {
  /** [nodes + 1] */
  readonly firstEdge: Int32Array
  readonly edgeBytes: Uint8Array
  readonly edgeTargets: Int32Array
  /** [nodes] 1 where a text ends. */
  readonly ends: Uint8Array
}

/** One of several texts. */
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
  /** [nodes + 1] and the list it indexes: the properties at or below each node, in ascending order. */
  readonly firstBelow: Int32Array
  readonly below: Int32Array
}

/** Any string with an allowed number of characters (code points). */
export interface StringTables {
  readonly kind: 'string'
  readonly min: number
  readonly max: number
}

/**
 * A string accepted by a DFA over classes of characters. Characters are written raw where JSON allows it, otherwise
 * as their shortest escape.
 */
export interface PatternTables {
  readonly kind: 'pattern'
  readonly classes: number
  /** [states, classes]: the next state, or -1. An accepting state can be reached from every state. */
  readonly table: Int32Array
  /** [states] */
  readonly accepting: Uint8Array
  /**
   * [states] 1 where every character may follow, and every character after that: unanchored patterns have many such
   * states.
   */
  readonly free: Uint8Array
  /** [states] Bytes to the end of the string, including its quote. */
  readonly least: Int32Array
  readonly decoder: DecoderTables
  readonly regions: RegionTables
}

/** States of a pattern from which the same classes of characters differ. */
export interface RegionTables {
  /** [states] */
  readonly ofState: Uint16Array
  /** [regions, classes]: a smaller numbering of classes; -1 for those that lead nowhere. */
  readonly classes: Int16Array
}

/** Decodes bytes within a string to classes of characters. State 0 is between two characters. */
export interface DecoderTables {
  /** [states, 256]: the next state; or -2 - class when the byte completes a character; or -1. */
  readonly table: Int16Array
  /** [states, classes]: bytes until a character of the class may be complete; 255 when it cannot. */
  readonly least: Uint8Array
}

/** Numbers of at most 15 digits, which doubles can distinguish. */
export interface NumberTables {
  readonly kind: 'number'
  /** [states, 12]: the next state, or -1, by digit, minus (10) and point (11). */
  readonly table: Int16Array
  /** [states] */
  readonly accepting: Uint8Array
  /** [states] Bytes to an accepting state. */
  readonly least: Uint8Array
}
