import { describe, expect, it } from 'vitest'
import { jsonInTurns } from './in-turns.ts'

/** @returns the text, and how many turns other work had meanwhile */
async function write(value: unknown) {
  let turns = 0
  let next = setImmediate(function count() {
    turns += 1
    next = setImmediate(count)
  })
  const json = await jsonInTurns(value)
  clearImmediate(next)
  return { text: Buffer.from(json).toString(), turns }
}

describe('jsonInTurns()', () => {
  it('writes short answers at once', async () => {
    expect(await write({ output: 'é' })).toEqual({ text: '{"output":"é"}\n', turns: 0 })
  })

  it('lets other work have turns while it writes a long one', async () => {
    const value = { logprobs: Array.from({ length: 50_000 }, (_, id) => ({ id, token: 'é' })) }
    const { text, turns } = await write(value)
    expect(text).toBe(`${JSON.stringify(value)}\n`)
    expect(turns).toBeGreaterThan(10)
  })
})
