import { describe, expect, it } from 'vitest'
import { isLoopback, networkOf } from './client-network.ts'

describe('networkOf()', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::'],
    ['2001:db8::ffff:1', '2001:db8:0:0::'],
    ['2001:db8:0:1::1', '2001:db8:0:1::'],
    ['nonsense', 'nonsense'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('isLoopback()', () => {
  it('knows this machine in every spelling', () => {
    expect(['127.0.0.1', '::1', '::ffff:127.0.0.1'].map(isLoopback)).toEqual([true, true, true])
    expect(['10.0.0.1', '::', 'localhost'].map(isLoopback)).toEqual([false, false, false])
  })
})
