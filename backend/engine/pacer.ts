/**
 * How much longer the gap between two tokens of a stream may become while prompts are read beside it. Twice is what a
 * reader is promised; the rest is room for steps that take longer than those before them.
 */
const gapRatio = 1.8

/**
 * The same where the streams' tenant has fewer sequences running than those whose prompts are read: its share of the
 * model is small already.
 */
const gapRatioOfSmallTenants = 1.25

/** Tokens of prompt in the first step beside streams, before anything is known about what they cost there. */
const firstTokens = 4

/** A chunk grows at most so many times from one step to the next: small chunks cost more per token than large ones. */
const growth = 2

/** Steps with prompts, after which one without is run, so that the normal gap stays measured. */
const stepsBetweenProbes = 32

/** Steps whose median is the normal gap: on a shared machine some take many times as long, which no average survives. */
const medianOf = 15

/** Weight of the latest measurement in the running average of what a token of prompt costs; it grows as prompts are read. */
const latestWeight = 0.5

/** A step that takes longer than so many times the average is a disturbance, and counts as this. */
const disturbance = 3

/** One step as it went. */
export interface MeasuredStep {
  /** Streams that got a token. */
  readonly decodeRows: number
  /** Tokens of prompts read. */
  readonly promptTokens: number
  readonly ms: number
}

/** What the measurements so far come to. Milliseconds. */
export interface Pace {
  /** The latest steps that only decoded, by their number of rows. */
  readonly decodeMs: ReadonlyMap<number, readonly number[]>
  /** What a token of prompt adds to a step that decodes; undefined until one did. */
  readonly promptTokenMs: number | undefined
  /** Tokens of prompts in the last step that also decoded. */
  readonly lastTokens: number
  /** Steps since one that only decoded. */
  readonly sinceProbe: number
}

export const unknownPace: Pace = {
  decodeMs: new Map(),
  promptTokenMs: undefined,
  lastTokens: 0,
  sinceProbe: 0,
}

/** The pace after one more step. */
export function observe(pace: Pace, { decodeRows, promptTokens, ms }: MeasuredStep): Pace {
  if (decodeRows === 0) return pace
  if (promptTokens === 0) {
    const latest = [...(pace.decodeMs.get(decodeRows) ?? []), ms].slice(-medianOf)
    return { ...pace, decodeMs: new Map(pace.decodeMs).set(decodeRows, latest), sinceProbe: 0 }
  }
  const normalMs = normalGap(pace, decodeRows) ?? 0
  const tokenMs = Math.max(0, ms - normalMs) / promptTokens
  return {
    ...pace,
    promptTokenMs: averaged(pace.promptTokenMs, tokenMs),
    lastTokens: promptTokens,
    sinceProbe: pace.sinceProbe + 1,
  }
}

function averaged(average: number | undefined, value: number): number {
  if (average === undefined) return value
  return average + latestWeight * (Math.min(value, disturbance * average) - average)
}

/**
 * How many tokens of prompts the next step may carry beside `decodeRows` streams; 0 when the normal gap has to be
 * measured first. At least 1 otherwise, so that every prompt is read in the end.
 * @param streamsOf whether a stream belongs to a tenant with fewer sequences than any of the prompts' tenants
 */
export function promptTokensBeside(
  decodeRows: number,
  pace: Pace,
  streamsOf: 'small tenants' | 'any' = 'any',
): number {
  const normalMs = normalGap(pace, decodeRows)
  if (normalMs === undefined || pace.sinceProbe >= stepsBetweenProbes) return 0
  if (pace.promptTokenMs === undefined) return firstTokens
  const ratio = streamsOf === 'any' ? gapRatio : gapRatioOfSmallTenants
  const free = pace.promptTokenMs === 0
  const affordable = free ? Infinity : ((ratio - 1) * normalMs) / pace.promptTokenMs
  return Math.max(
    1,
    Math.floor(Math.min(affordable, growth * Math.max(pace.lastTokens, firstTokens))),
  )
}

/** Of as many streams, or of the next smaller number that was measured: fewer rows are never slower. */
function normalGap({ decodeMs }: Pace, decodeRows: number): number | undefined {
  for (let rows = decodeRows; rows > 0; rows--) {
    const latest = decodeMs.get(rows)
    if (latest !== undefined) return median(latest)
  }
  return undefined
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
