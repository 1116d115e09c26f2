import { unlessAborted } from '../async/unless-aborted.ts'
import type { ByteBudget } from './byte-budget.ts'
import { ChunkList } from './chunk-list.ts'

/**
 * Reads a body to its end and counts while reading; the declared length is not trusted. The source is cancelled when
 * it exceeds the budget, fails or is aborted.
 * @returns the bytes, or undefined when they exceed the budget
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

/** For the outcome of a cancellation, which does not matter. */
function ignore(): void {}
