import type { RequestRecord } from './send-request.ts'

/** Milliseconds; null where nothing was measured. */
export interface Percentiles {
  readonly p50: number | null
  readonly p90: number | null
  readonly p99: number | null
}

/** The largest and the smallest value of one number per stream, and their ratio. */
export interface Spread {
  readonly max: number
  readonly min: number
  /** 1 when all streams had the same value; null when the smallest is 0. */
  readonly ratio: number | null
}

export interface LoadStatistics {
  readonly ok: number
  readonly failed: number
  /** In progress when the run was stopped. */
  readonly stopped: number
  /** Failed requests by code. */
  readonly failures: Readonly<Record<string, number>>
  /** Seconds from the first request to the last end. */
  readonly seconds: number
  /** Successful requests only. */
  readonly requestsPerSecond: number
  /** Of all streams, including those that broke off. */
  readonly outputTokens: number
  readonly outputTokensPerSecond: number
  /** Whether tokens are the server's `usage`, or events with text, each of which may hold several tokens. */
  readonly tokensFrom: 'usage' | 'deltas' | 'usage, deltas where there was none'
  readonly firstTokenMs: Percentiles
  readonly tokenGapMs: Percentiles
  readonly totalMs: Percentiles
  /** Over successful streams; null when there were none. */
  readonly tokensPerStream: Spread | null
  /** Over successful streams, from due to end. */
  readonly tokensPerSecondOfStream: Spread | null
}

/** Latencies are those of successful requests: refusals are quick and would improve them unfairly. */
export function summarise(records: readonly RequestRecord[]): LoadStatistics {
  const good = records.filter(({ outcome }) => outcome.type === 'ok')
  const seconds = secondsOf(records)
  const outputTokens = sum(records.map(tokensOf))
  const failures = countFailures(records)
  return {
    ok: good.length,
    failed: sum(Object.values(failures)),
    stopped: records.filter(({ outcome }) => outcome.type === 'stopped').length,
    failures,
    seconds,
    requestsPerSecond: perSecond(good.length, seconds),
    outputTokens,
    outputTokensPerSecond: perSecond(outputTokens, seconds),
    tokensFrom: tokensFrom(records),
    firstTokenMs: percentiles(
      good.flatMap(({ dueAtMs, tally: { firstTokenAtMs } }) =>
        firstTokenAtMs === undefined ? [] : [firstTokenAtMs - dueAtMs],
      ),
    ),
    tokenGapMs: percentiles(good.flatMap(({ tally }) => tally.gapsMs)),
    totalMs: percentiles(good.map(totalMsOf)),
    tokensPerStream: spread(good.map(tokensOf)),
    tokensPerSecondOfStream: spread(
      good.map((record) => perSecond(tokensOf(record), totalMsOf(record) / 1000)),
    ),
  }
}

/**
 * The smallest value that at least the fraction `part` of all values does not exceed (nearest rank).
 * @param sorted ascending
 * @param part above 0, at most 1
 */
export function percentile(sorted: ArrayLike<number>, part: number): number | null {
  return sorted[Math.ceil(part * sorted.length) - 1] ?? null
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).toSorted()
  return {
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p99: percentile(sorted, 0.99),
  }
}

function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null
  const max = values.reduce((left, right) => Math.max(left, right))
  const min = values.reduce((left, right) => Math.min(left, right))
  return { max, min, ratio: min === 0 ? null : max / min }
}

function countFailures(records: readonly RequestRecord[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { outcome } of records) {
    if (outcome.type === 'failed') counts.set(outcome.code, (counts.get(outcome.code) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].toSorted(([, left], [, right]) => right - left))
}

function secondsOf(records: readonly RequestRecord[]): number {
  if (records.length === 0) return 0
  const from = records.reduce((ms, { dueAtMs }) => Math.min(ms, dueAtMs), Infinity)
  const to = records.reduce((ms, { endedAtMs }) => Math.max(ms, endedAtMs), -Infinity)
  return (to - from) / 1000
}

function tokensFrom(records: readonly RequestRecord[]): LoadStatistics['tokensFrom'] {
  const streams = records.filter((record) => tokensOf(record) > 0)
  const counted = streams.filter(({ tally }) => tally.completionTokens !== undefined)
  if (counted.length === 0) return 'deltas'
  return counted.length === streams.length ? 'usage' : 'usage, deltas where there was none'
}

const tokensOf = ({ tally }: RequestRecord) => tally.completionTokens ?? tally.deltas
const totalMsOf = ({ dueAtMs, endedAtMs }: RequestRecord) => endedAtMs - dueAtMs
const perSecond = (count: number, seconds: number) => (seconds > 0 ? count / seconds : 0)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
