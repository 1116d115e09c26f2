import { normalGap, share, type Pace, type Readers } from './pace.ts'

/**
 * The ratio where the streams' tenant has fewer sequences running than those whose prompts are read: its share of the
 * model is already small.
 */
const ratioOfSmallTenants = 1.25

/** Prompt tokens in the first step next to streams, before anything is known about their cost there. */
const firstTokens = 4

/** A chunk grows at most by this factor from one step to the next: small chunks cost more per token than large ones. */
const growth = 2

/**
 * Turns with prompts or an image, after which one has neither, to keep the measurement of the normal gap up to date.
 */
const stepsBetweenProbes = 32

/** What the next turn may carry next to streams. */
export interface Allowance {
  readonly promptTokens: number
  readonly visionWork: number
}

/**
 * How much may be read and processed next to `decodeRows` streams, with equal time for each reader; nothing when the
 * normal gap has to be measured first. Otherwise at least 1, so that everything is read in the end.
 * @param streamsOf whether a stream belongs to a tenant with fewer sequences than any of the prompts' tenants
 */
export function allowedBeside(
  decodeRows: number,
  pace: Pace,
  readers: Readers,
  streamsOf: 'small tenants' | 'any' = 'any',
): Allowance {
  const normalMs = normalGap(pace, decodeRows)
  if (normalMs === undefined || pace.sinceProbe >= stepsBetweenProbes) {
    return { promptTokens: 0, visionWork: 0 }
  }
  const small = streamsOf === 'small tenants'
  const freeMs = ((small ? ratioOfSmallTenants : pace.ratio * share(readers)) - 1) * normalMs
  const eachMs = freeMs / Math.max(1, readers.prompts + readers.images)
  const tokens = affordableTokens(pace, eachMs * readers.prompts)
  return {
    // Chunks of a large model have few tokens: always rounding down would make them noticeably too small.
    promptTokens: Math.max(1, small ? Math.floor(tokens) : Math.round(tokens)),
    visionWork: Math.max(1, workIn(pace, eachMs)),
  }
}

function affordableTokens({ promptTokenMs, lastTokens }: Pace, ms: number): number {
  if (promptTokenMs === undefined) return firstTokens
  const affordable = promptTokenMs === 0 ? Infinity : ms / promptTokenMs
  return Math.min(affordable, growth * Math.max(lastTokens, firstTokens))
}

/** How much of an image can be processed in this many milliseconds; 0 until its cost is known. */
export function workIn({ looked }: Pace, ms: number): number {
  if (looked.work === 0) return 0
  return looked.ms === 0 ? Infinity : (ms * looked.work) / looked.ms
}
