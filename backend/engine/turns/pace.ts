/** What a stream is promised while others' prompts and images are read: 99 of 100 gaps are at most so many times the normal. */
const promisedRatio = 2

/**
 * Turns with prompts or images are planned to take so many times the normal gap, because some take longer than planned.
 * How many do is the machine's: the ratio moves between these bounds until the promise is just kept. It begins with what
 * suits a steady machine, on which a caller who has little running would else be delayed by those who have much. Where
 * steps without prompts are often as much too long, shorter turns do not keep the promise either; they only take what is
 * read much longer, since small chunks and pieces cost more for what they are.
 */
const firstRatio = 1.8
const leastRatio = 1.35
const greatestRatio = 1.9

/** What a step that breaks the promise takes off the ratio, and how many that keep it bring as much back. */
const backOff = 0.06
const stepsToRecover = 150

/**
 * While there are several readers, each may add as much to a gap as the first one may, up to so many times what turns with
 * one of them take. Otherwise callers who come together would wait long for each other, in turns too short to be efficient.
 */
const mostShares = 4

/** Steps that say what the normal gap is. */
const normalOf = 31

/** Weight of the latest measurement in the running average of what a token of prompt costs; it grows as prompts are read. */
const latestWeight = 0.2

/** Work, after which a measurement of what images take counts half: some pieces beside streams of a small model. */
const lookHalfLife = 1_000

/** A step that takes longer than so many times what was planned is a disturbance, and tells of costs as if it had taken this. */
const disturbance = 2

/** A turn planned to take so many times what the ratio allows was planned so for want of smaller pieces. */
const leastPieceMargin = 1.1

/** How much waits to be read beside streams. */
export interface Readers {
  /** Prompts that are being read. */
  readonly prompts: number
  /** 1 while an image is looked at: one at a time. */
  readonly images: number
}

/** One turn as it went: a step, and then a look at an image. */
export interface MeasuredTurn {
  /** Streams that got a token. */
  readonly decodeRows: number
  /** Tokens of prompts read. */
  readonly promptTokens: number
  /** In units of the model's own. */
  readonly visionWork: number
  readonly readers: Readers
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
  /** How many times the normal gap a turn with prompts or an image is planned to take. */
  readonly ratio: number
  /** Tokens of prompts in the last step that also decoded. */
  readonly lastTokens: number
  /** Turns since one that only decoded. */
  readonly sinceProbe: number
}

export const unknownPace: Pace = {
  decodeMs: new Map(),
  promptTokenMs: undefined,
  looked: { work: 0, ms: 0 },
  ratio: firstRatio,
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
    ratio: nextRatio(pace, normalMs, turn),
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

/** Learns only from turns of which it was known what they would take. */
function nextRatio(
  { promptTokenMs, looked, ratio }: Pace,
  normalMs: number,
  { promptTokens, visionWork, readers, stepMs, visionMs }: MeasuredTurn,
): number {
  const promptsKnown = promptTokens === 0 || promptTokenMs !== undefined
  const imagesKnown = visionWork === 0 || looked.work > 0
  if (!promptsKnown || !imagesKnown) return ratio
  const promptMs = promptTokens * (promptTokenMs ?? 0)
  const lookMs = visionWork === 0 ? 0 : visionWork * (looked.ms / looked.work)
  const plannedMs = normalMs + promptMs + lookMs
  const sharedMs = normalMs * share(readers)
  // The least piece of an image may be more than the pace allows: that is not the machine's doing.
  if (visionWork > 0 && plannedMs > leastPieceMargin * ratio * sharedMs) return ratio
  return adapted(ratio, { normalMs: sharedMs, plannedMs, ms: stepMs + visionMs })
}

/** How many times as long a turn beside streams may be as with one reader: 1 + readers against 2. */
export function share({ prompts, images }: Readers): number {
  return Math.min(Math.max(1, (1 + prompts + images) / 2), mostShares)
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
