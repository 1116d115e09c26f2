import type { BenchRow } from '../../measure.ts'

/** The time of one part of the check of a card. */
export interface PartPlan {
  readonly name: string
  /** Its share of the time, relative to those of the other parts: see `limitOf`. */
  readonly share: number
  /** Whether it needs the full model's weights, which the first part that does puts on the card. */
  readonly needsWeights?: boolean
}

/** One of the things that a part does. */
export interface Step {
  /** What is reported as missing when it fails or there is no time for it. */
  readonly name: string
  /** @param leftMs milliseconds in which it should end; below 0 it should begin nothing more */
  readonly run: (leftMs: () => number) => AsyncIterable<BenchRow>
}

/** The outcome of a part. */
export interface PartResult {
  readonly name: string
  readonly seconds: number
  readonly rows: readonly BenchRow[]
  readonly missing: Missing
}

/** What is missing from a part. */
export interface Missing {
  /** What failed, and why; undefined when nothing did. */
  readonly problem: string | undefined
  /** Steps for which there was no time, or, for a part that was not begun, its own name. */
  readonly leftOut: readonly string[]
}

/** Messages of the process that runs parts. Of each part `begin`, any number of rows, and `end`. */
export type FromParts =
  | { readonly type: 'begin'; readonly part: string }
  | { readonly type: 'row'; readonly row: BenchRow }
  | { readonly type: 'end'; readonly missing: Missing }
