import type { BenchRow } from '../../measure.ts'

/** A part of the check of a card, as its process runs it. */
export interface PartPlan {
  readonly name: string
  /** Milliseconds after which it counts as hung. */
  readonly deadlineMs: number
}

/** What a part came to. */
export interface PartResult {
  readonly name: string
  readonly seconds: number
  readonly rows: readonly BenchRow[]
  /** Why it failed, or was not run; undefined when it went well. */
  readonly problem: string | undefined
}

/** Messages of the process that runs parts. Of each part `begin`, any number of rows, and `end`. */
export type FromParts =
  | { readonly type: 'begin'; readonly part: string }
  | { readonly type: 'row'; readonly row: BenchRow }
  | { readonly type: 'end'; readonly problem: string | undefined }
