import { describe, expect, it } from 'vitest'
import { equalText, hasGoodCheck, hashKey, makeKey, parseKey } from './key-format.ts'

describe('makeKey()', () => {
  it('makes keys that can be distinguished, recognised and checked', async () => {
    const made = await Promise.all(Array.from({ length: 50 }, () => makeKey('secret')))
    expect(new Set(made.map(({ id }) => id)).size).toBe(50)
    expect(new Set(made.map(({ text }) => text)).size).toBe(50)
    for (const { id, text, hash } of made) {
      expect(text).toMatch(/^dsk_[0-9a-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{8}$/)
      const parsed = parseKey(text)!
      expect(parsed.id).toBe(id)
      expect(await hasGoodCheck(parsed, 'secret')).toBe(true)
      expect(hash).toBe(await hashKey(text))
    }
  })

  it('keeps the id when a secret is replaced', async () => {
    const first = await makeKey('secret')
    const second = await makeKey('secret', first.id)
    expect(second.id).toBe(first.id)
    expect(second.hash).not.toBe(first.hash)
  })

  it('uses every letter about as often', async () => {
    const counts = new Map<string, number>()
    for (let index = 0; index < 400; index += 1) {
      const { text } = await makeKey('secret')
      for (const letter of text.split('_')[2]!) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
    // 17,200 letters of 62: 277 each, standard deviation 16.5.
    expect(counts.size).toBe(62)
    for (const count of counts.values()) expect(Math.abs(count - 277)).toBeLessThan(110)
  })
})

describe('hasGoodCheck()', () => {
  it('refuses a key with any part changed, and one of another installation', async () => {
    const { text } = await makeKey('secret')
    for (const at of [4, 10, 20, 40, 62, 66, text.length - 1]) {
      const letter = text[at] === '7' ? '8' : '7'
      const changed = parseKey(text.slice(0, at) + letter + text.slice(at + 1))
      expect(changed && (await hasGoodCheck(changed, 'secret'))).toBe(false)
    }
    expect(await hasGoodCheck(parseKey(text)!, 'another secret')).toBe(false)
  })
})

describe('parseKey()', () => {
  it.each([
    '',
    'dsk_',
    'dsk___',
    'not a key',
    `dsk_${'a'.repeat(12)}_${'b'.repeat(42)}_${'c'.repeat(8)}`,
    `dsk_${'A'.repeat(12)}_${'b'.repeat(43)}_${'c'.repeat(8)}`,
    `dsk_${'a'.repeat(12)}_${'b'.repeat(43)}_${'c'.repeat(8)}\n`,
    ` dsk_${'a'.repeat(12)}_${'b'.repeat(43)}_${'c'.repeat(8)}`,
    `sk_${'a'.repeat(12)}_${'b'.repeat(43)}_${'c'.repeat(8)}`,
    'x'.repeat(100_000),
  ])('refuses %j', (text) => {
    expect(parseKey(text)).toBeUndefined()
  })
})

describe('hashKey()', () => {
  it('is SHA-256 in hexadecimal', async () => {
    // FIPS 180-2, appendix B.1
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    expect(await hashKey('abc')).toBe(expected)
  })
})

describe('equalText()', () => {
  it.each([
    ['abc', 'abc', true],
    ['', '', true],
    ['abc', 'abd', false],
    ['abc', 'xbc', false],
    ['abc', 'ab', false],
    ['ab', 'abc', false],
    ['', 'a', false],
  ])('compares %j with %j', (left, right, equal) => {
    expect(equalText(left, right)).toBe(equal)
  })
})

describe('equalText()', () => {
  /** Counts how often it is accessed. */
  class WatchedText {
    reads = 0
    readonly #text: string
    constructor(text: string) {
      this.#text = text
    }
    get length(): number {
      return this.#text.length
    }
    charCodeAt(at: number): number {
      this.reads += 1
      return this.#text.charCodeAt(at)
    }
  }

  it.each([
    ['nowhere', 'f'.repeat(64)],
    ['in the first character', `0${'f'.repeat(63)}`],
    ['in the last one', `${'f'.repeat(63)}0`],
    ['everywhere', '0'.repeat(64)],
  ])('reads all of a hash that differs %s', (_where, known) => {
    const presented = new WatchedText('f'.repeat(64))
    expect(equalText(presented as unknown as string, known)).toBe(known === 'f'.repeat(64))
    expect(presented.reads).toBe(64)
  })
})
