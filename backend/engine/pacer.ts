/** What a reader is promised while prompts are read beside a stream: 99 of 100 gaps are at most so many times the normal. */
const promisedRatio = 2

/**
 * Steps with prompts are planned to take so many times the normal gap, because some take longer than planned. How many
 * do is the machine's: the ratio moves between these bounds until the promise is just kept. It begins with what suits a
 * steady machine, on which a caller who has little running would else be delayed by those who have much.
 */
const firstRatio = 1.8
const leastRatio = 1.25
const greatestRatio = 1.9

/** What a step that breaks the promise takes off the ratio, and how many that keep it bring as much back. */
const backOff = 0.06
const stepsToRecover = 150

/**
 * The ratio where the streams' tenant has fewer sequences running than those whose prompts are read: its share of the
 * model is small already.
 */
const ratioOfSmallTenants = 1.25

/**
 * While several prompts are read, each may add as much to a gap as the first one may, up to so many times what steps beside
 * one prompt take. Otherwise callers who come together would wait long for each other, in steps too short to be efficient.
 */
const mostShares = 4

/** Tokens of prompt in the first step beside streams, before anything is known about what they cost there. */
const firstTokens = 4

/** A chunk grows at most so many times from one step to the next: small chunks cost more per token than large ones. */
const growth = 2

/** Steps with prompts, after which one without is run, so that the normal gap stays measured. */
const stepsBetweenProbes = 32

/** Steps that say what the normal gap is. */
const normalOf = 31

/** Weight of the latest measurement in the running average of what a token of prompt costs; it grows as prompts are read. */
const latestWeight = 0.2

/** A step that takes longer than so many times what was planned is a disturbance, and tells of costs as if it had taken this. */
const disturbance = 2

/** One step as it went. */
export interface MeasuredStep {
  /** Streams that got a token. */
  readonly decodeRows: number
  /** Tokens of prompts read. */
  readonly promptTokens: number
  /** By which it was planned; see `promptShare`. */
  readonly share: number
  readonly ms: number
}

/** What the measurements so far come to. Milliseconds. */
export interface Pace {
  /** The latest steps that only decoded, by their number of rows. */
  readonly decodeMs: ReadonlyMap<number, readonly number[]>
  /** What a token of prompt adds to a step that decodes; undefined until one did. */
  readonly promptTokenMs: number | undefined
  /** How many times the normal gap a step with prompts is planned to take. */
  readonly ratio: number
  /** Tokens of prompts in the last step that also decoded. */
  readonly lastTokens: number
  /** Steps since one that only decoded. */
  readonly sinceProbe: number
}

export const unknownPace: Pace = {
  decodeMs: new Map(),
  promptTokenMs: undefined,
  ratio: firstRatio,
  lastTokens: 0,
  sinceProbe: 0,
}

/** The pace after one more step. */
export function observe(pace: Pace, step: MeasuredStep): Pace {
  const { decodeRows, promptTokens, share, ms } = step
  if (decodeRows === 0) return pace
  if (promptTokens === 0) {
    const latest = [...(pace.decodeMs.get(decodeRows) ?? []), ms].slice(-normalOf)
    return { ...pace, decodeMs: new Map(pace.decodeMs).set(decodeRows, latest), sinceProbe: 0 }
  }
  const normalMs = normalGap(pace, decodeRows)
  if (normalMs === undefined) return pace
  return {
    ...pace,
    ...afterPrompt(pace, normalMs, { promptTokens, share, ms }),
    lastTokens: promptTokens,
    sinceProbe: pace.sinceProbe + 1,
  }
}

/** What a step with prompts tells of their cost, and of how far from its plan a step may end. */
function afterPrompt(
  { promptTokenMs, ratio }: Pace,
  normalMs: number,
  { promptTokens, share, ms }: Omit<MeasuredStep, 'decodeRows'>,
): Pick<Pace, 'promptTokenMs' | 'ratio'> {
  const tokenMs = (stepMs: number) => Math.max(0, stepMs - normalMs) / promptTokens
  if (promptTokenMs === undefined) return { promptTokenMs: tokenMs(ms), ratio }
  const plannedMs = normalMs + promptTokenMs * promptTokens
  const latest = tokenMs(Math.min(ms, disturbance * plannedMs))
  return {
    promptTokenMs: promptTokenMs + latestWeight * (latest - promptTokenMs),
    ratio: adapted(ratio, { normalMs: normalMs * share, plannedMs, ms }),
  }
}

/** In the long run one step in `stepsToRecover` breaks the promise, and those that no ratio would have saved. */
function adapted(
  ratio: number,
  { normalMs, plannedMs, ms }: Readonly<Record<'normalMs' | 'plannedMs' | 'ms', number>>,
): number {
  // A step that was planned shorter than the ratio allows has to be shorter by as much.
  const kept = ms <= promisedRatio * Math.min(normalMs, plannedMs / ratio)
  if (kept) return Math.min(greatestRatio, ratio * (1 + backOff / stepsToRecover))
  const tooLongAnyway = ms * leastRatio > promisedRatio * plannedMs
  return tooLongAnyway ? ratio : Math.max(leastRatio, ratio * (1 - backOff))
}

/** How many times as long a step beside streams may be while `prompts` prompts are read as while one is: 1 + p against 2. */
export function promptShare(prompts: number): number {
  return Math.min(Math.max(1, (1 + prompts) / 2), mostShares)
}

/**
 * How many tokens of prompts the next step may carry beside `decodeRows` streams; 0 when the normal gap has to be
 * measured first. At least 1 otherwise, so that every prompt is read in the end.
 * @param share see `promptShare`
 * @param streamsOf whether a stream belongs to a tenant with fewer sequences than any of the prompts' tenants
 */
export function promptTokensBeside(
  decodeRows: number,
  pace: Pace,
  share = 1,
  streamsOf: 'small tenants' | 'any' = 'any',
): number {
  const normalMs = normalGap(pace, decodeRows)
  if (normalMs === undefined || pace.sinceProbe >= stepsBetweenProbes) return 0
  if (pace.promptTokenMs === undefined) return firstTokens
  const small = streamsOf === 'small tenants'
  const freeMs = ((small ? ratioOfSmallTenants : pace.ratio * share) - 1) * normalMs
  const affordable = pace.promptTokenMs === 0 ? Infinity : freeMs / pace.promptTokenMs
  const tokens = Math.min(affordable, growth * Math.max(pace.lastTokens, firstTokens))
  // Chunks of a large model are of few tokens: always rounded down they would be a good part too small.
  return Math.max(1, small ? Math.floor(tokens) : Math.round(tokens))
}

/** Of as many streams, or of the next smaller number that was measured: fewer rows are never slower. */
function normalGap({ decodeMs }: Pace, decodeRows: number): number | undefined {
  for (let rows = decodeRows; rows > 0; rows--) {
    const latest = decodeMs.get(rows)
    if (latest !== undefined) return typical(latest)
  }
  return undefined
}

/** Mean of the middle half: on a shared machine some steps take many times as long, which no mean of all survives. */
function typical(values: readonly number[]): number {
  const cut = values.length >> 2
  const middle = values.toSorted((a, b) => a - b).slice(cut, values.length - cut)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}
