import { describe, expect, it } from 'vitest'
import { AddressWindow } from './address-window.ts'

describe('AddressWindow', () => {
  it('admits so many requests of an address in ten seconds, then none', () => {
    const window = new AddressWindow(3, 10_000)
    const admitted = [0, 1, 9_998, 9_999, 10_000].map((ms) => window.admit('192.0.2.1', ms))
    expect(admitted).toEqual([true, true, true, false, true])
  })

  it('counts addresses apart, but one IPv6 network as one, and mapped IPv4 as itself', () => {
    const window = new AddressWindow(1, 10_000)
    const admitted = (address: string) => window.admit(address, 0)
    expect(['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1'].map(admitted)).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['::ffff:192.0.2.1', '2001:db8::ffff:1'].map(admitted)).toEqual([false, false])
  })

  it('does not grow without bound', () => {
    const window = new AddressWindow(1, 10_000)
    for (let index = 0; index < 100_000; index += 1) window.admit(`address ${index}`, 0)
    expect(window.admit('one more', 0)).toBe(true)
    expect(window.admit('one more', 0)).toBe(true)
    expect(window.admit('address 5', 0)).toBe(false)
  })
})
