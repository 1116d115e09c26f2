import type { Piece } from '../pieces/piece.ts'
import type { ArrayPlan, ObjectPlan } from '../grammar.ts'

/** What follows when a piece of text, or a value, is at its end. Immutable; frames share what they stand in. */
export type Frame = Surrounding | NextFrame

export type Frames = readonly Frame[]

/** What a value stands in. */
export type Surrounding =
  /** The whole text. */
  | { readonly kind: 'end'; readonly least: 0 }
  /** The bracket, or a comma and the next item. */
  | (Items & { readonly kind: 'elements'; readonly least: number })
  /** The brace, or a comma and the next member. */
  | (Members & { readonly kind: 'members'; readonly least: number })

/** In one of several ways. `least`: bytes of the ending from there, all that follows counted. */
export type Surroundings = readonly Surrounding[]

/** What comes next within an array or object. */
type NextFrame =
  /** Behind a comma: an item. */
  | (Items & { readonly kind: 'element' })
  /** Behind a comma: a member. */
  | (Members & { readonly kind: 'member' })
  /** Behind a declared property's key: its value. */
  | (Members & { readonly kind: 'value' })
  /** Behind the key of another property: its colon. */
  | (Members & { readonly kind: 'colon' })
  /** Behind that colon: its value. */
  | (Members & { readonly kind: 'extra' })

export interface Items {
  readonly plan: ArrayPlan
  /** Items that are there. */
  readonly count: number
  readonly up: Surroundings
}

export interface Members {
  readonly plan: ObjectPlan
  /** The first property that may still come. */
  readonly at: number
  /** Members that are there. */
  readonly count: number
  readonly up: Surroundings
}

/** A piece in some state, and all that may follow it. */
export interface Head {
  readonly piece: Piece
  readonly state: number
  readonly frames: Frames
}

/** Where a text stands. Immutable: keeping one is keeping a place to come back to. */
export interface Standing {
  readonly heads: readonly Head[]
  /** Whether the text may end here. */
  readonly mayEnd: boolean
}
