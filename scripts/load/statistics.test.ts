import { describe, expect, it } from 'vitest'
import { createTally } from './read-answer.ts'
import type { RequestRecord } from './send-request.ts'
import { percentile, summarise } from './statistics.ts'

const record = (
  outcome: RequestRecord['outcome'],
  [dueAtMs, endedAtMs]: readonly [number, number],
  tally: Partial<RequestRecord['tally']> = {},
): RequestRecord => ({ outcome, dueAtMs, endedAtMs, tally: { ...createTally(), ...tally } })

describe('percentile()', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)

  it.each([
    [hundred, 0.5, 50],
    [hundred, 0.9, 90],
    [hundred, 0.99, 99],
    [hundred, 1, 100],
    [[15, 20, 35, 40, 50], 0.4, 20],
    [[15, 20, 35, 40, 50], 0.99, 50],
    [[7], 0.01, 7],
    [[], 0.5, null],
  ])('is the nearest rank: %#', (sorted, part, expected) => {
    expect(percentile(sorted, part)).toBe(expected)
  })
})

describe('summarise()', () => {
  it('counts from usage, and keeps failures out of the latencies', () => {
    const statistics = summarise([
      record({ type: 'ok' }, [1_000, 3_000], {
        deltas: 3,
        firstTokenAtMs: 1_500,
        gapsMs: [10, 1_000],
        completionTokens: 8,
      }),
      record({ type: 'failed', code: 'queue_full' }, [1_001, 1_002]),
      record({ type: 'ok' }, [2_000, 6_000], {
        deltas: 2,
        firstTokenAtMs: 2_100,
        gapsMs: [30],
        completionTokens: 4,
      }),
      record({ type: 'failed', code: 'timeout' }, [1_003, 5_000]),
      record({ type: 'failed', code: 'timeout' }, [1_003, 5_000]),
    ])
    expect(statistics).toEqual({
      ok: 2,
      failed: 3,
      stopped: 0,
      failures: { timeout: 2, queue_full: 1 },
      seconds: 5,
      requestsPerSecond: 0.4,
      outputTokens: 12,
      outputTokensPerSecond: 2.4,
      tokensFrom: 'usage',
      firstTokenMs: { p50: 100, p90: 500, p99: 500 },
      tokenGapMs: { p50: 30, p90: 1_000, p99: 1_000 },
      totalMs: { p50: 2_000, p90: 4_000, p99: 4_000 },
      tokensPerStream: { max: 8, min: 4, ratio: 2 },
      tokensPerSecondOfStream: { max: 4, min: 1, ratio: 4 },
    })
  })

  it('counts deltas where there is no usage, those of broken streams too, and says so', () => {
    const broken = record({ type: 'stopped' }, [0, 1_000], { deltas: 5 })
    const whole = record({ type: 'ok' }, [0, 1_000], { deltas: 2, completionTokens: 3 })
    const source = 'usage, deltas where there was none'
    expect(summarise([broken])).toMatchObject({ outputTokens: 5, tokensFrom: 'deltas', stopped: 1 })
    expect(summarise([broken, whole])).toMatchObject({ outputTokens: 8, tokensFrom: source })
  })

  it('reports nothing when nothing was measured', () => {
    expect(summarise([])).toMatchObject({
      ok: 0,
      seconds: 0,
      requestsPerSecond: 0,
      firstTokenMs: { p50: null, p90: null, p99: null },
      tokensPerStream: null,
    })
  })
})
