import { unlessAborted } from '../async/unless-aborted.ts'
import type { ByteBudget } from './byte-budget.ts'
import { ChunkList } from './chunk-list.ts'

/**
 * Reads a body to its end, counting while reading; what was declared is not believed. Past the budget, on failure
 * and on abort the source is cancelled.
 * @returns the bytes, or undefined when they are more than the budget allows
 * @throws the signal's reason, even when the source itself ignores the signal
 */
export async function readLimited(
  source: AsyncIterable<Uint8Array>,
  budget: ByteBudget,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const chunks = new ChunkList()
  const iterator = source[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done === true) {
        ended = true
        return chunks.join()
      }
      if (!budget.take(next.value.byteLength)) return undefined
      chunks.push(next.value)
    }
  } finally {
    if (!ended) iterator.return?.().catch(ignore)
  }
}

/** For the outcome of a cancellation, which interests nobody. */
function ignore(): void {}
