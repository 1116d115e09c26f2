import { describe, expect, it } from 'vitest'
import { LoadingProgress } from './loading-progress.ts'

/** Weights of 1,000 bytes in files that take 2,000 in memory, in a process that has 500 already. */
function start(weightBytes: number | undefined) {
  const clock = { ms: 0 }
  const memory = { bytes: 500 }
  const lines: string[] = []
  const progress = new LoadingProgress({
    fileBytes: 1_000,
    weightBytes,
    report: (line) => lines.push(line),
    now: () => clock.ms,
    resident: () => memory.bytes,
    intervalMs: 1_000,
  })
  const look = (residentBytes: number) => {
    memory.bytes = residentBytes
    clock.ms += 1_000
    progress.look()
    return lines.at(-1)
  }
  return { progress, look }
}

describe('LoadingProgress', () => {
  it('moves with checking and with loading, whichever is ahead', () => {
    const { progress, look } = start(2_000)
    progress.addChecked(600)
    expect(look(500)).toBe(
      'checking and loading weights: 30 %, 300 bytes of 1.0 kB, 300 bytes/s, 2 s left',
    )
    expect(look(900)).toContain(': 40 %, 400 bytes of 1.0 kB, 200 bytes/s, 3 s left')
    progress.addChecked(400)
    expect(look(900)).toContain(': 60 %, 600 bytes of 1.0 kB')
    expect(look(2_100)).toContain(': 90 %, 900 bytes of 1.0 kB')
  })

  it('is at its end when both are, and never before the beginning or behind the end', () => {
    const { progress, look } = start(2_000)
    expect(look(100)).toContain(': 0 %, 0 bytes of 1.0 kB')
    expect(look(9_000)).toContain(': 50 %, 500 bytes of 1.0 kB')
    progress.addChecked(1_000)
    expect(look(9_000)).toContain(': 100 %, 1.0 kB of 1.0 kB')
  })

  it('counts only what is checked where nothing is loaded meanwhile', () => {
    const { progress, look } = start(undefined)
    progress.addChecked(250)
    expect(look(9_000)).toBe('checking weights: 25 %, 250 bytes of 1.0 kB, 250 bytes/s, 3 s left')
  })
})
