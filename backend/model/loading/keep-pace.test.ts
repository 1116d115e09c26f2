import { describe, expect, it } from 'vitest'
import { keepPace } from './keep-pace.ts'

describe('keepPace()', () => {
  it('waits until loading is near enough', async () => {
    const progress = { checkedBytes: 5e9, loadedBytes: 0 }
    let isOver = false
    const pace = keepPace(progress, () => 0).then(() => (isOver = true))
    for (let step = 0; step < 3; step++) {
      progress.loadedBytes += 0.9e9
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(isOver).toBe(false)
    }
    progress.loadedBytes = 3e9
    await pace
    expect(isOver).toBe(true)
  })

  it('does not wait for loading that does not move', async () => {
    const clock = { ms: 0 }
    const progress = { checkedBytes: 5e9, loadedBytes: 1e9 }
    await keepPace(progress, () => (clock.ms += 100))
    expect(clock.ms).toBeGreaterThanOrEqual(500)
  })

  it('does not wait when checking is not ahead', async () => {
    const pace = keepPace({ checkedBytes: 2e9, loadedBytes: 1e9 }, () => 0)
    await expect(pace).resolves.toBeUndefined()
  })
})
