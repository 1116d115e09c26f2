import { markdownTable } from '../performance/document.ts'
import type { LoadStatistics, Percentiles, Spread } from './statistics.ts'

/** The numbers of a run as a table that can go into a document. */
export function loadTable(statistics: LoadStatistics): string {
  const { ok, failed, stopped, seconds, requestsPerSecond, outputTokens } = statistics
  return markdownTable(
    ['measurement', 'result'],
    [
      ['requests ok / failed / stopped', `${ok} / ${failed} / ${stopped}`],
      ...Object.entries(statistics.failures).map(([code, count]) => [
        `failed: ${code}`,
        String(count),
      ]),
      ['duration', `${seconds.toFixed(2)} s`],
      ['requests/s', requestsPerSecond.toFixed(2)],
      ['output tokens', `${outputTokens} (counted from ${statistics.tokensFrom})`],
      ['output tokens/s', statistics.outputTokensPerSecond.toFixed(1)],
      [
        'time to first token, p50 / p90 / p99',
        times(statistics.firstTokenMs, ['p50', 'p90', 'p99']),
      ],
      ['gap between tokens, p50 / p99', times(statistics.tokenGapMs, ['p50', 'p99'])],
      ['total latency, p50 / p99', times(statistics.totalMs, ['p50', 'p99'])],
      ['fairness: tokens per stream, max / min', ratioOf(statistics.tokensPerStream, 0)],
      ['fairness: tokens/s of a stream, max / min', ratioOf(statistics.tokensPerSecondOfStream, 1)],
    ],
  )
}

function times(percentiles: Percentiles, wanted: readonly (keyof Percentiles)[]): string {
  const values = wanted.map((name) => percentiles[name]?.toFixed(1) ?? '-')
  return `${values.join(' / ')} ms`
}

function ratioOf(spread: Spread | null, digits: number): string {
  if (spread === null) return '-'
  const { max, min, ratio } = spread
  return `${max.toFixed(digits)} / ${min.toFixed(digits)} = ${ratio?.toFixed(2) ?? '-'}`
}
