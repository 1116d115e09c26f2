import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { cutWhen } from './cut-revoked-stream.ts'

/** Writes the pieces one by one, one second apart. @returns what comes out, and whether the source was cancelled */
async function pass(
  pieces: readonly string[],
  revoked: (atMs: number) => Promise<boolean>,
  farewell: (said: string) => string = () => 'event: error\n\n',
) {
  const clock = { ms: 0 }
  const state = { left: false }
  const left = pieces.values()
  const source = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        clock.ms += 1_000
        const next = left.next()
        if (next.done === true) controller.close()
        else controller.enqueue(new TextEncoder().encode(next.value))
      },
      cancel() {
        state.left = true
      },
    },
    { highWaterMark: 0 },
  )
  const cut = cutWhen({
    revoked: () => revoked(clock.ms),
    now: () => clock.ms,
    farewell,
  })
  const output = await new Response(source.pipeThrough(cut)).text()
  // The source learns of the end after the reader, in the same turn of the event loop.
  await setImmediate()
  return { output, left: state.left }
}

describe('cutWhen()', () => {
  it('passes everything on while the key stands', async () => {
    const pieces = ['a\n\n', 'b\n\n', 'c\n\n']
    expect(await pass(pieces, async () => false)).toEqual({
      output: pieces.join(''),
      left: false,
    })
  })

  it('ends with the farewell and leaves the source once the key is revoked', async () => {
    const pieces = ['a\n\n', 'b\n\n', 'c\n\n', 'd\n\n']
    expect(await pass(pieces, async (ms) => ms >= 2_000)).toEqual({
      output: 'a\n\nb\n\nevent: error\n\n',
      left: true,
    })
  })

  it('never cuts an event in two', async () => {
    const pieces = ['data: 1', '23\n\n', 'data: 4\n\n']
    const { output } = await pass(pieces, async () => true)
    expect(output).toBe('data: 123\n\nevent: error\n\n')
  })

  it('words the farewell by all that was said, not only by the latest chunk', async () => {
    const pieces = ['data: {"sequence_number":7}\n\n', ': heartbeat\n\n', 'data: late\n\n']
    const { output } = await pass(
      pieces,
      async (ms) => ms >= 2_000,
      (said) => `said ${JSON.stringify(said)}`,
    )
    expect(output).toBe(
      `${pieces[0]}${pieces[1]}said ${JSON.stringify(`${pieces[0]}${pieces[1]}`)}`,
    )
  })

  it('goes on when nobody knows', async () => {
    const pieces = ['a\n\n', 'b\n\n']
    const { output } = await pass(pieces, () => Promise.reject(new Error('away')))
    expect(output).toBe('a\n\nb\n\n')
  })
})
