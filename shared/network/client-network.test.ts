import { describe, expect, it } from 'vitest'
import { isLoopback, networkOf } from './client-network.ts'

describe('networkOf()', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::'],
    ['2001:db8::ffff:1', '2001:db8:0:0::'],
    ['2001:db8:0:1::1', '2001:db8:0:1::'],
    ['fd00::1', 'fd00:0:0:0::'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1%eth0'],
    ['fe80::1%eth1', 'fe80:0:0:0:0:0:0:1%eth1'],
    ['fe80::2', 'fe80:0:0:0:0:0:0:2'],
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['64:ff9b:1:fffe::192.0.2.1', '64:ff9b:1:fffe:0:0:c000:201'],
    ['::ffff:0:192.0.2.1', '192.0.2.1'],
    ['2002:c000:0201:5::1', '192.0.2.1'],
    // The example of RFC 4380, 4: the client is 192.0.2.45.
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', '192.0.2.45'],
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
