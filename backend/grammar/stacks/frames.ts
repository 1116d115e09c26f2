import type { Piece } from '../pieces/piece.ts'
import type { ArrayPlan, ObjectPlan } from '../grammar.ts'

/** What follows when a piece of text, or a value, has ended. Immutable; frames share their surroundings. */
export type Frame = Surrounding | NextFrame

export type Frames = readonly Frame[]

/** What surrounds a value. */
export type Surrounding =
  /** The whole text. */
  | { readonly kind: 'end'; readonly least: 0 }
  /** The bracket, or a comma and the next item. */
  | (Items & { readonly kind: 'elements'; readonly least: number })
  /** The brace, or a comma and the next member. */
  | (Members & { readonly kind: 'members'; readonly least: number })

/** One of several alternatives. `least`: bytes of the ending from there, including everything that follows. */
export type Surroundings = readonly Surrounding[]

/** What comes next within an array or object. */
type NextFrame =
  /** After a comma: an item. */
  | (Items & { readonly kind: 'element' })
  /** After a comma: a member. */
  | (Members & { readonly kind: 'member' })
  /** After a declared property's key: its value. */
  | (Members & { readonly kind: 'value' })
  /** After the key of another property: its colon. */
  | (Members & { readonly kind: 'colon' })
  /** After that colon: its value. */
  | (Members & { readonly kind: 'extra' })

export interface Items {
  readonly plan: ArrayPlan
  /** Number of items so far. */
  readonly count: number
  readonly up: Surroundings
}

export interface Members {
  readonly plan: ObjectPlan
  /** The first property that may still come. */
  readonly at: number
  /** Number of members so far. */
  readonly count: number
  readonly up: Surroundings
}

/** A piece in some state, and everything that may follow it. */
export interface Head {
  readonly piece: Piece
  readonly state: number
  readonly frames: Frames
}

/** The position in a text. Immutable, so a saved position can be returned to. */
export interface Standing {
  readonly heads: readonly Head[]
  /** Whether the text may end here. */
  readonly mayEnd: boolean
}
