import { describe, expect, it } from 'vitest'
import { openCopy, sealCopy } from './key-copy.ts'
import type { KeyRecord } from './key-record.ts'

const record: KeyRecord = {
  id: 'a',
  version: 3,
  note: 'a line\nand another',
  scopes: ['text'],
  limits: { requestsPerMinute: 5 },
  createdAt: 1,
  expiresAt: null,
  revokedAt: null,
  hash: 'hash',
  previous: null,
}
const copy = { record, asOf: 7 }

describe('openCopy()', () => {
  it('gives back what was sealed', async () => {
    expect(await openCopy(await sealCopy(copy, 'secret'), 'a', 'secret')).toEqual(copy)
  })

  it('refuses what another installation sealed, and the copy of another key', async () => {
    const sealed = await sealCopy(copy, 'secret')
    expect(await openCopy(sealed, 'a', 'another secret')).toBeUndefined()
    expect(await openCopy(sealed, 'b', 'secret')).toBeUndefined()
  })

  it('refuses every change of a single character', async () => {
    const sealed = await sealCopy(copy, 'secret')
    for (let at = 0; at < sealed.length; at += 1) {
      const other = sealed[at] === '0' ? '1' : '0'
      const spoiled = sealed.slice(0, at) + other + sealed.slice(at + 1)
      expect(await openCopy(spoiled, 'a', 'secret')).toBeUndefined()
    }
  })

  it.each(['', '\n', 'null', '{}', '\n{}', JSON.stringify(copy), `\n${JSON.stringify(copy)}`])(
    'refuses %j',
    async (text) => {
      expect(await openCopy(text, 'a', 'secret')).toBeUndefined()
    },
  )
})
