import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Bell } from './bell.ts'

describe('Bell', () => {
  it('lets its sleeper wait until it rings', async () => {
    const bell = new Bell()
    let awake = false
    const heard = bell.heard().then(() => (awake = true))
    await nextImmediate()
    expect(awake).toBe(false)
    bell.ring()
    await heard
  })

  it('is heard once, by who comes later too', async () => {
    const bell = new Bell()
    bell.ring()
    bell.ring()
    await bell.heard()
    let awake = false
    const heard = bell.heard().then(() => (awake = true))
    await nextImmediate()
    expect(awake).toBe(false)
    bell.ring()
    await heard
  })
})
