/**
 * The promise to streams while prompts and images of others are read: 99 of 100 gaps are at most this many times the
 * normal gap.
 */
const promisedRatio = 2

/**
 * Turns with prompts or images are planned to take this many times the normal gap, since some take longer than
 * planned. How many do depends on the machine, so the ratio moves between these bounds until the promise is just
 * kept. The initial value suits a steady machine; a lower one would delay callers who have little running behind
 * those who have much. Where steps without prompts are often just as much too long, shorter turns cannot keep the
 * promise either. They would only make reading much slower, because small chunks and pieces cost more per token.
 */
const firstRatio = 1.8
const leastRatio = 1.35
const greatestRatio = 1.9

/** How much a step that breaks the promise lowers the ratio, and how many steps that keep it raise it by as much. */
const backOff = 0.06
const stepsToRecover = 150

/**
 * With several readers, each may add as much to a gap as a single one may, up to this many times a turn with a single
 * reader. Otherwise callers who arrive together would wait long for each other, in turns too short to be efficient.
 */
const mostShares = 4

/** Number of steps from which the normal gap is determined. */
const normalOf = 31

/**
 * Weight of the latest measurement in the running average of the cost of a prompt token, which grows as prompts are
 * read.
 */
const latestWeight = 0.2

/** Work after which a measurement of the cost of images counts half: a few pieces next to streams of a small model. */
const lookHalfLife = 1_000

/**
 * A step that takes more than this many times its plan is a disturbance; it is recorded as if it had taken exactly
 * that.
 */
const disturbance = 2

/**
 * A turn planned to take more than this many times what the ratio allows was planned so because no smaller piece
 * exists.
 */
const leastPieceMargin = 1.1

/** How much waits to be read next to streams. */
export interface Readers {
  /** Prompts that are being read. */
  readonly prompts: number
  /** 1 while an image is processed, since it is one at a time. */
  readonly images: number
}

/** Measurements of one turn: a step, followed by a piece of image processing. */
export interface MeasuredTurn {
  /** Tokens that streams ran: one each, and drafts. */
  readonly decodeRows: number
  /** Prompt tokens read. */
  readonly promptTokens: number
  /** In the model's own unit. */
  readonly visionWork: number
  readonly readers: Readers
  readonly stepMs: number
  readonly visionMs: number
}

/** Summary of the measurements so far. Times in milliseconds. */
export interface Pace {
  /** The latest decode-only steps, by their number of rows. */
  readonly decodeMs: ReadonlyMap<number, readonly number[]>
  /** What a prompt token adds to a step that decodes; undefined until one did. */
  readonly promptTokenMs: number | undefined
  /** Images processed recently; 0 until there was one. */
  readonly looked: { readonly work: number; readonly ms: number }
  /** How many times the normal gap a turn with prompts or an image is planned to take. */
  readonly ratio: number
  /** Prompt tokens in the last step that also decoded. */
  readonly lastTokens: number
  /** Turns since the last decode-only one. */
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
 * Uses sums, so that small pieces, which cost relatively more, count for little. Processing an image adds more to a
 * turn than its own time: the step next to it finds the CPU's caches full of the vision tower's weights.
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

/** Only learns from turns whose duration could be predicted. */
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
  // The smallest piece of an image may exceed what the pace allows, which is not the machine's fault.
  if (visionWork > 0 && plannedMs > leastPieceMargin * ratio * sharedMs) return ratio
  return adapted(ratio, { normalMs: sharedMs, plannedMs, ms: stepMs + visionMs })
}

/** How many times as long a turn next to streams may be compared with a single reader: 1 + readers against 2. */
export function share({ prompts, images }: Readers): number {
  return Math.min(Math.max(1, (1 + prompts + images) / 2), mostShares)
}

/** In the long run one step in `stepsToRecover` breaks the promise, plus those that no ratio would have prevented. */
function adapted(
  ratio: number,
  { normalMs, plannedMs, ms }: Readonly<Record<'normalMs' | 'plannedMs' | 'ms', number>>,
): number {
  // A step planned to be shorter than the ratio allows has to be proportionally shorter.
  const kept = ms <= promisedRatio * Math.min(normalMs, plannedMs / ratio)
  if (kept) return Math.min(greatestRatio, ratio * (1 + backOff / stepsToRecover))
  const tooLongAnyway = ms * leastRatio > promisedRatio * plannedMs
  return tooLongAnyway ? ratio : Math.max(leastRatio, ratio * (1 - backOff))
}

/** For the same number of streams, or for the next smaller number that was measured: fewer rows are never slower. */
export function normalGap({ decodeMs }: Pace, decodeRows: number): number | undefined {
  for (let rows = decodeRows; rows > 0; rows--) {
    const latest = decodeMs.get(rows)
    if (latest !== undefined) return typical(latest)
  }
  return undefined
}

/** Mean of the middle half: on a shared machine some steps take many times as long, which would spoil a mean of all. */
function typical(values: readonly number[]): number {
  const cut = values.length >> 2
  const middle = values.toSorted((a, b) => a - b).slice(cut, values.length - cut)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}
