/** Steps that say what the normal gap is. */
const normalOf = 31

/** Weight of the latest measurement in the running average of what a token of prompt costs; it grows as prompts are read. */
const latestWeight = 0.2

/** Work, after which a measurement of what images take counts half: some pieces beside streams of a small model. */
const lookHalfLife = 1_000

/** A step that takes longer than so many times what was planned is a disturbance, and tells of costs as if it had taken this. */
const disturbance = 2

/** One turn as it went: a step, and then a look at an image. */
export interface MeasuredTurn {
  /** Streams that got a token. */
  readonly decodeRows: number
  /** Tokens of prompts read. */
  readonly promptTokens: number
  /** In units of the model's own. */
  readonly visionWork: number
  readonly stepMs: number
  readonly visionMs: number
}

/** What the measurements so far come to. Milliseconds. */
export interface Pace {
  /** The latest steps that only decoded, by their number of rows. */
  readonly decodeMs: ReadonlyMap<number, readonly number[]>
  /** What a token of prompt adds to a step that decodes; undefined until one did. */
  readonly promptTokenMs: number | undefined
  /** Of images looked at lately; 0 until one was. */
  readonly looked: { readonly work: number; readonly ms: number }
  /** Tokens of prompts in the last step that also decoded. */
  readonly lastTokens: number
  /** Turns since one that only decoded. */
  readonly sinceProbe: number
}

export const unknownPace: Pace = {
  decodeMs: new Map(),
  promptTokenMs: undefined,
  looked: { work: 0, ms: 0 },
  lastTokens: 0,
  sinceProbe: 0,
}

/** The pace after one more turn. */
export function observe(pace: Pace, turn: MeasuredTurn): Pace {
  const { decodeRows, promptTokens, visionWork, stepMs } = turn
  const normalMs = normalGap(pace, decodeRows)
  const looked = lookedLately(pace, normalMs, turn)
  if (decodeRows === 0) return { ...pace, looked }
  if (promptTokens === 0 && visionWork === 0) {
    const latest = [...(pace.decodeMs.get(decodeRows) ?? []), stepMs].slice(-normalOf)
    return { ...pace, decodeMs: new Map(pace.decodeMs).set(decodeRows, latest), sinceProbe: 0 }
  }
  if (normalMs === undefined) return { ...pace, looked }
  return {
    ...pace,
    looked,
    promptTokenMs: promptCost(pace, normalMs, turn),
    lastTokens: promptTokens === 0 ? pace.lastTokens : promptTokens,
    sinceProbe: pace.sinceProbe + 1,
  }
}

function promptCost(
  { promptTokenMs }: Pace,
  normalMs: number,
  { promptTokens, stepMs }: MeasuredTurn,
): number | undefined {
  if (promptTokens === 0) return promptTokenMs
  const tokenMs = (ms: number) => Math.max(0, ms - normalMs) / promptTokens
  if (promptTokenMs === undefined) return tokenMs(stepMs)
  const plannedMs = normalMs + promptTokenMs * promptTokens
  const latest = tokenMs(Math.min(stepMs, disturbance * plannedMs))
  return promptTokenMs + latestWeight * (latest - promptTokenMs)
}

/**
 * Sums, so that small pieces, which cost more for what they are, count for little. What a look adds to a turn is more than
 * the time it takes: the step beside it finds the caches full of the vision tower's weights.
 */
function lookedLately(
  { looked }: Pace,
  normalMs: number | undefined,
  { promptTokens, visionWork, stepMs, visionMs }: MeasuredTurn,
): Pace['looked'] {
  if (visionWork === 0) return looked
  const besideMs = normalMs === undefined || promptTokens > 0 ? 0 : Math.max(0, stepMs - normalMs)
  const kept = 2 ** (-visionWork / lookHalfLife)
  const plannedMs = looked.work === 0 ? Infinity : visionWork * (looked.ms / looked.work)
  return {
    work: looked.work * kept + visionWork,
    ms: looked.ms * kept + Math.min(visionMs + besideMs, disturbance * plannedMs),
  }
}

/** Of as many streams, or of the next smaller number that was measured: fewer rows are never slower. */
export function normalGap({ decodeMs }: Pace, decodeRows: number): number | undefined {
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
