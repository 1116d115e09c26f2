import { describe, expect, it } from 'vitest'
import { serverNames, urlHost } from './hosts.ts'

describe('urlHost()', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '127.0.0.1'],
    ['::1', '[::1]'],
    ['box.example', 'box.example'],
  ])('reaches a server on %s by %s', (host, expected) => {
    expect(urlHost(host)).toBe(expected)
  })
})

describe('serverNames()', () => {
  it('adds an address of its own', () => {
    expect(serverNames('10.0.0.7')).toContain('10.0.0.7')
  })

  it('never holds a wildcard', () => {
    expect(serverNames('0.0.0.0')).toEqual(['localhost', '127.0.0.1', '::1', 'backend'])
  })
})
