/** What ONNX Runtime's profile of a session on a card says: a JSON array of events, durations in microseconds. */

/** The part of an event that is read. */
interface ProfileEvent {
  /** `Node`: a node, as the host records its launches. `Api`: a launch, as the card ran it. `Session`: a whole run. */
  readonly cat: string
  readonly name: string
  readonly dur: number
  readonly args?: { readonly op_name?: string; readonly provider?: string }
}

/** One run of a graph, of several that did the same. */
export interface RunProfile {
  readonly launches: number
  /** Launches of nodes whose name begins with `/layers.N/`, by layer. */
  readonly layerLaunches: readonly number[]
  readonly nodes: number
  /** Milliseconds in which the host recorded the run. */
  readonly recordingMs: number
  /** Milliseconds that the card computed; undefined where its driver keeps no times. */
  readonly deviceMs: number | undefined
  /** The operators that took the card longest, or, without its times, to record. */
  readonly byOperator: readonly OperatorTime[]
}

interface OperatorTime {
  readonly operator: string
  readonly launches: number
  readonly ms: number
}

/**
 * @param text a profile file of a session that was run several times with inputs of the same dimensions; the first run
 * compiles and is left out
 * @throws {Error} when the runs did different things
 */
export function readRunProfile(text: string): RunProfile {
  const events = JSON.parse(text) as ProfileEvent[]
  const runs = events.filter(({ name }) => name === 'model_run').length
  const launches = lastRun(
    'launches',
    events.filter(({ cat }) => cat === 'Api'),
    runs,
  )
  const nodes = lastRun(
    'nodes',
    events.filter(({ cat }) => cat === 'Node'),
    runs,
  )
  const recordings = events.filter(({ name }) => name === 'SequentialExecutor::Execute')
  const hasTimes = launches.some(({ dur }) => dur > 0)
  const layers = launches.flatMap(({ name }) => /^\/layers\.(\d+)\//.exec(name)?.[1] ?? [])
  return {
    launches: launches.length,
    layerLaunches: countsOf(layers.map(Number)),
    nodes: nodes.length,
    recordingMs: median(recordings.slice(1).map(({ dur }) => dur)) / 1000,
    deviceMs: hasTimes ? total(launches) / 1000 : undefined,
    byOperator: byOperator(hasTimes ? launches : nodes),
  }
}

/** The events of the last of several equal runs. */
function lastRun(
  kind: string,
  events: readonly ProfileEvent[],
  runs: number,
): readonly ProfileEvent[] {
  const each = events.length / runs
  if (!Number.isInteger(each) || runs < 2) {
    throw new Error(`${events.length} ${kind} in ${runs} runs: not the same in each`)
  }
  return events.slice(events.length - each)
}

/** Longest first. */
function byOperator(events: readonly ProfileEvent[]): OperatorTime[] {
  const groups = Map.groupBy(events, operatorOf)
  return [...groups]
    .map(([operator, own]) => ({ operator, launches: own.length, ms: total(own) / 1000 }))
    .toSorted((a, b) => b.ms - a.ms)
}

/** A launch is named `node&operator&program`. */
function operatorOf({ name, args }: ProfileEvent): string {
  return args?.op_name ?? name.split('&')[1] ?? name
}

function countsOf(indices: readonly number[]): number[] {
  const counts = Array.from({ length: Math.max(-1, ...indices) + 1 }, () => 0)
  for (const index of indices) counts[index]! += 1
  return counts
}

function total(events: readonly ProfileEvent[]): number {
  return events.reduce((sum, { dur }) => sum + dur, 0)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
