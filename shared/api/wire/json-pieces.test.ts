import { describe, expect, it } from 'vitest'
import { joinPieces, jsonPieces, LazyList } from './json-pieces.ts'

const many = Array.from({ length: 1_000 }, (_, id) => ({ id, text: 'é"\n' }))
const lazy = new LazyList(many, ({ id }) => ({ id, double: 2 * id }))

describe('jsonPieces()', () => {
  it.each([
    ['what is not long', { a: [1, 2], b: null, c: undefined, d: '"', e: [] }],
    ['a text', 'é'],
    ['a long list', many],
    ['a long list in lists and objects', { a: 1, b: [undefined, { c: many, d: undefined }, many] }],
    ['lists that are made as they are written', { a: lazy, b: new LazyList([1], String) }],
    ['long lists of what is nothing', Array.from({ length: 100 })],
  ])('writes %s as JSON.stringify does', (_what, value) => {
    expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value))
  })

  it('makes no long piece of a long list', () => {
    for (const value of [many, { a: [{ b: lazy }] }]) {
      for (const piece of jsonPieces(value)) expect(piece.length).toBeLessThan(1_000)
    }
  })

  it('makes no more items of a lazy list than a piece has', () => {
    let made = 0
    const list = new LazyList(many, ({ id }) => ((made += 1), id))
    jsonPieces({ list }).next()
    expect(made).toBeLessThan(100)
  })
})

describe('joinPieces()', () => {
  it('leaves no short pieces but the last', () => {
    const text = 'ab'.repeat(100_000)
    const pieces = [...joinPieces(text)]
    expect(pieces.join('')).toBe(text)
    expect(pieces.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 3_392])
    expect([...joinPieces([])]).toEqual([])
  })
})
