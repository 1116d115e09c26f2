import { describe, expect, it } from 'vitest'
import { BlockChain, blockTokens } from './content-hash.ts'

const text = (length: number, id = 3) => new Int32Array(length).fill(id)

function keysOf(ids: Int32Array, tenant = 'someone'): readonly string[] {
  return new BlockChain(tenant, [], []).keysOf(ids)
}

describe('BlockChain', () => {
  it('names whole blocks only', () => {
    expect(keysOf(text(blockTokens - 1))).toHaveLength(0)
    expect(keysOf(text(3 * blockTokens + 5))).toHaveLength(3)
  })

  it('gives equal texts equal names, read at once or as they grow', () => {
    const chain = new BlockChain('someone', [], [])
    for (let length = 0; length <= 100; length += 7) chain.keysOf(text(length))
    expect(chain.keysOf(text(100))).toEqual(keysOf(text(100)))
  })

  it('names a block by all that stands before it', () => {
    const other = text(100).fill(9, 40, 41)
    const [first, second, third] = keysOf(text(100))
    const [otherFirst, otherSecond, otherThird] = keysOf(other)
    expect(otherFirst).toBe(first)
    expect(otherSecond).not.toBe(second)
    expect(otherThird).not.toBe(third)
    expect(new Set([first, second, third]).size).toBe(3)
  })

  it('keeps tenants apart', () => {
    expect(keysOf(text(64), 'a')).not.toEqual(keysOf(text(64), 'b'))
  })

  it('names placeholders by their image: its content, and where it begins', () => {
    const keys = (start: number, image: string) =>
      new BlockChain('someone', [{ start, tokens: 40 }], [image]).keysOf(text(128))
    const [before, during, after] = keys(40, 'cat')
    expect(keys(40, 'dog')[0]).toBe(before)
    expect(keys(40, 'dog')[1]).not.toBe(during)
    expect(keys(40, 'dog')[2]).not.toBe(after)
    expect(keys(41, 'cat')[1]).not.toBe(during)
    expect(keys(40, 'cat')).toEqual(keys(40, 'cat'))
  })
})
