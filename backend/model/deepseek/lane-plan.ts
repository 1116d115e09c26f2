import type { StepRow } from '../model.ts'

/**
 * Chunk length in tokens from which expanding keys and values is cheaper: expanding costs one product over all rows
 * of the sequence, while attending in latent space takes 3.4 times the operations per pair (docs/performance.md).
 */
export const defaultExpandedFromTokens = 96

/** Which sequence runs in which lane of the decoder graph; undefined where a lane is idle. */
export interface LanePlan {
  readonly absorbed: readonly (StepRow | undefined)[]
  readonly expanded: StepRow | undefined
}

interface LaneLimits {
  readonly lanes: number
  readonly expandedFromTokens: number
}

/**
 * The longest chunk, if it has at least `expandedFromTokens` tokens, takes the expanded lane; all others take
 * absorbed lanes in order.
 * @throws {RangeError} when a chunk has no tokens, a slot occurs twice or there are more chunks than lanes
 */
export function planLanes(
  rows: readonly StepRow[],
  { lanes, expandedFromTokens }: LaneLimits,
): LanePlan {
  checkRows(rows)
  const longest = rows.reduce<StepRow | undefined>(
    (best, row) => (row.tokenIds.length > (best?.tokenIds.length ?? 0) ? row : best),
    undefined,
  )
  const expanded = (longest?.tokenIds.length ?? 0) >= expandedFromTokens ? longest : undefined
  const others = rows.filter((row) => row !== expanded)
  if (others.length > lanes) {
    throw new RangeError(`${rows.length} sequences for ${lanes} lanes`)
  }
  return { absorbed: Array.from({ length: lanes }, (_, lane) => others[lane]), expanded }
}

/** @throws {RangeError} when a chunk has no tokens or a slot occurs twice */
export function checkRows(rows: readonly StepRow[]): void {
  const slots = new Set<StepRow['slot']>()
  for (const { slot, tokenIds } of rows) {
    if (tokenIds.length === 0) throw new RangeError(`Slot ${slot} has no tokens`)
    if (slots.has(slot)) throw new RangeError(`Slot ${slot} occurs twice`)
    slots.add(slot)
  }
}
