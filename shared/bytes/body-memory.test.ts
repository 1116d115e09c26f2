import { describe, expect, it } from 'vitest'
import { BodyMemory } from './body-memory.ts'

describe('BodyMemory', () => {
  it('holds up to its limit, and says when a refused body may come again', () => {
    const memory = new BodyMemory(1_000)
    for (const tenant of ['a', 'b']) memory.hold(tenant, 500)
    expect(() => memory.hold('c', 1)).toThrow(
      expect.objectContaining({
        code: 'queue_full',
        retryAfterSeconds: 2,
        message: 'All requests together hold 1001 bytes of bodies, over the limit of 1000',
      }) as Error,
    )
    expect(memory.held).toBe(1_000)
  })

  it('leaves half of it to others', () => {
    const memory = new BodyMemory(1_000)
    memory.hold('a', 300)
    memory.hold('a', 200)
    expect(() => memory.hold('a', 1)).toThrow('Your requests together hold 501 bytes')
    memory.hold('b', 400)
  })

  it('has room again for what was released', () => {
    const memory = new BodyMemory(1_000)
    memory.hold('a', 500)
    memory.release('a', 200)
    memory.hold('a', 200)
    memory.release('a', 500)
    expect(memory.held).toBe(0)
    expect(() => memory.release('a', 1)).toThrow(RangeError)
  })
})
