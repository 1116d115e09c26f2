import { describe, expect, it } from 'vitest'
import { formatBytes, formatSeconds } from './amounts.ts'
import { Progress } from './progress.ts'

describe('formatBytes()', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1_000, '1.0 kB'],
    [99_940, '99.9 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [17_400_000_000, '17.4 GB'],
    [32_815_315_552, '32.8 GB'],
    [5e15, '5000 TB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

describe('formatSeconds()', () => {
  it.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [3_599, '59 min 59 s'],
    [7_500, '2 h 5 min'],
  ])('%d is %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
})

describe('Progress', () => {
  const setUp = (doneBefore = 0) => {
    const clock = { ms: 0 }
    const lines: string[] = []
    const amounts: unknown[] = []
    const progress = new Progress({
      title: 'moving',
      totalBytes: 10_000_000,
      doneBefore,
      now: () => clock.ms,
      report(line, _passing, amount) {
        lines.push(line)
        amounts.push(amount)
      },
      intervalMs: 1_000,
    })
    const at = (ms: number, bytes: number) => {
      clock.ms = ms
      progress.add(bytes)
    }
    return { clock, lines, amounts, progress, at }
  }

  it('reports once in each interval, and at the end', () => {
    const { clock, lines, progress, at } = setUp()
    at(500, 1_000_000)
    at(1_000, 1_000_000)
    at(1_900, 1_000_000)
    at(2_000, 1_000_000)
    clock.ms = 5_000
    progress.end()
    expect(lines).toEqual([
      'moving: 20 %, 2.0 MB of 10.0 MB, 2.0 MB/s, 4 s left',
      'moving: 40 %, 4.0 MB of 10.0 MB, 2.0 MB/s, 3 s left',
      'moving: done, 10.0 MB in 5 s',
    ])
  })

  it('takes the rate from what was done since it began', () => {
    const { lines, at, amounts } = setUp(5_000_000)
    at(1_000, 1_000_000)
    expect(amounts).toEqual([{ doneBytes: 6_000_000, totalBytes: 10_000_000 }])
    expect(lines).toEqual(['moving: 60 %, 6.0 MB of 10.0 MB, 1.0 MB/s, 4 s left'])
  })

  it('has no rate while nothing comes of it', () => {
    const { lines, at } = setUp(5_000_000)
    at(1_000, -1_000_000)
    expect(lines).toEqual(['moving: 40 %, 4.0 MB of 10.0 MB'])
  })
})
