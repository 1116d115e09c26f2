import { describe, expect, it } from 'vitest'
import { clientAddress, peerStanding, proxiesSetting } from './client-address.ts'

const trusted = proxiesSetting.parse('127.0.0.1, ::1,10.0.0.0/8')

describe('clientAddress()', () => {
  it.each([
    ['a peer that is no proxy, whatever it claims', '192.0.2.1', '198.51.100.7', '192.0.2.1'],
    ['what a trusted peer forwards for', '127.0.0.1', '198.51.100.7', '198.51.100.7'],
    [
      'the last one that no trusted proxy wrote',
      '::1',
      '1.1.1.1, 198.51.100.7, 10.1.2.3',
      '198.51.100.7',
    ],
    [
      'nobody further left, who may be made up',
      '127.0.0.1',
      '10.9.9.9, 198.51.100.7',
      '198.51.100.7',
    ],
    ['a mapped peer', '::ffff:127.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['an address with a port', '127.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['an IPv6 address with a port', '127.0.0.1', '[2001:DB8::1]:4711', '2001:db8::1'],
    ['the proxy itself, when it says nothing', '127.0.0.1', undefined, '127.0.0.1'],
    ['the proxy itself, when it says nothing sensible', '127.0.0.1', 'unknown', '127.0.0.1'],
    ['the last sensible one', '127.0.0.1', '198.51.100.7, nonsense, 10.1.2.3', '10.1.2.3'],
    ['the leftmost when all are trusted', '127.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['no number for an address', '127.0.0.1', '16909060', '127.0.0.1'],
  ])('is %s', (_what, peer, forwardedFor, expected) => {
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(expected)
  })

  it('trusts nobody unless configured to', () => {
    expect(clientAddress('127.0.0.1', '198.51.100.7', proxiesSetting.parse(undefined))).toBe(
      '127.0.0.1',
    )
  })
})

describe('peerStanding()', () => {
  it.each([
    ['192.0.2.1', 'client'],
    ['10.1.2.3', 'proxy'],
    ['::ffff:10.1.2.3', 'proxy'],
    ['::ffff:127.0.0.1', 'proxy'],
    ['127.0.0.2', 'many'],
  ])('of %s is %s', (address, standing) => {
    expect(peerStanding(address, trusted)).toBe(standing)
  })
})

describe('proxiesSetting', () => {
  it.each(['localhost', '10.0.0.0/33', '*', '127.0.0.1;10.0.0.1', 'true'])('refuses %s', (text) => {
    expect(proxiesSetting.safeParse(text).success).toBe(false)
  })
})
