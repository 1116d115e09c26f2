import type { PartPlan } from './part.ts'

/** The share of a part's time in which it begins nothing more, so that what it has begun can end. */
const lastShare = 0.15

/**
 * Milliseconds after which a part counts as hung: its share of what is left. What the parts before it did not need is spread
 * over all that follow.
 * @param rest the part, and those after it
 */
export function limitOf(rest: readonly PartPlan[], leftMs: number): number {
  const all = rest.reduce((sum, { share }) => sum + share, 0)
  return Math.max(0, (leftMs * (rest[0]?.share ?? 0)) / all)
}

/** Milliseconds in which a part with this limit begins something. */
export function beginningMs(limitMs: number): number {
  return (1 - lastShare) * limitMs
}
