/** Counts bytes down. A budget may draw on a wider one, shared with others. */
export class ByteBudget {
  readonly maxBytes: number
  readonly #shared: ByteBudget | undefined
  #left: number

  constructor(maxBytes: number, shared?: ByteBudget) {
    this.maxBytes = maxBytes
    this.#left = maxBytes
    this.#shared = shared
  }

  /** @returns false when more was taken than there was, here or in the shared budget */
  take(bytes: number): boolean {
    this.#left -= bytes
    const shared = this.#shared?.take(bytes) ?? true
    return this.#left >= 0 && shared
  }

  get exceeded(): boolean {
    return this.#left < 0
  }
}

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
  const chunks: Uint8Array[] = []
  const iterator = source[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done === true) {
        ended = true
        return joinChunks(chunks)
      }
      if (!budget.take(next.value.byteLength)) return undefined
      chunks.push(next.value)
    }
  } finally {
    if (!ended) iterator.return?.().catch(ignore)
  }
}

/** The promise's outcome, or the signal's reason, whichever comes first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stopListening = ignore
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    stopListening = () => signal.removeEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    stopListening()
  }
}

/** One array out of many. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const only = chunks[0]
  if (chunks.length === 1 && only !== undefined) return only
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.byteLength
  }
  return joined
}

/** For the outcome of a cancellation, which interests nobody. */
function ignore(): void {}
