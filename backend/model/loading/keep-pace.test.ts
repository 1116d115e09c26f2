import { describe, expect, it } from 'vitest'
import { pacedBy } from './keep-pace.ts'

describe('pacedBy()', () => {
  it('waits until loading is near enough', async () => {
    const progress = { checkedBytes: 5e9, loadedBytes: 0 }
    let isOver = false
    const pace = pacedBy(progress, () => 0)().then(() => (isOver = true))
    for (let step = 0; step < 3; step++) {
      progress.loadedBytes += 0.9e9
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(isOver).toBe(false)
    }
    progress.loadedBytes = 3e9
    await pace
    expect(isOver).toBe(true)
  })

  it('waits only once for loading that does not move', async () => {
    const clock = { ms: 0 }
    const keepPace = pacedBy({ checkedBytes: 5e9, loadedBytes: 1e9 }, () => (clock.ms += 100))
    await keepPace()
    expect(clock.ms).toBeGreaterThanOrEqual(3_000)
    const first = clock.ms
    for (let part = 0; part < 10; part++) await keepPace()
    expect(clock.ms - first).toBeLessThanOrEqual(1_000)
  })

  it('does not take the growth of a process that loads nothing for loading', async () => {
    const clock = { ms: 0, bytes: 1e9 }
    const growing = {
      checkedBytes: 5e9,
      get loadedBytes() {
        return (clock.bytes += 4_096)
      },
    }
    await pacedBy(growing, () => (clock.ms += 100))()
    expect(clock.ms).toBeLessThan(10_000)
  })

  it('waits again once loading moves on', async () => {
    const clock = { ms: 0 }
    const progress = { checkedBytes: 5e9, loadedBytes: 0 }
    const keepPace = pacedBy(progress, () => clock.ms)
    clock.ms = 3_000
    await keepPace()
    progress.loadedBytes = 1e9
    let isOver = false
    const pace = keepPace().then(() => (isOver = true))
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(isOver).toBe(false)
    progress.loadedBytes = 3e9
    await pace
  })

  it('does not wait when checking is not ahead', async () => {
    const pace = pacedBy({ checkedBytes: 2e9, loadedBytes: 1e9 }, () => 0)()
    await expect(pace).resolves.toBeUndefined()
  })
})
