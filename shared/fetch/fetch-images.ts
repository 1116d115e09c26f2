import { maxFetchedTotalBytes } from '../api/limits.ts'
import { whenAborted } from '../async/when-aborted.ts'
import { fetchFailureError } from './fetch-failure-error.ts'
import { fetchImage, type FetchedImage, type FetchOptions } from './fetch-image.ts'
import { ByteBudget } from '../bytes/byte-budget.ts'

/** A Worker may have six open connections at once; the other two are for the client and the backend. */
const maxParallel = 4

/**
 * Fetches the images of one request in parallel and returns them in order. The first failure aborts the other
 * transfers.
 * @throws {ServiceError} `image_url_refused`, `image_fetch_failed`, `image_fetch_too_large`, `image_fetch_timeout`, or what
 *   `hold` throws
 */
export async function fetchImages(
  urls: readonly string[],
  source: Pick<FetchOptions, 'transport' | 'hosts'> & {
    /** Called with the number of bytes about to be held; if it throws, the transfers end. */
    readonly hold?: (bytes: number) => void
  },
  signal: AbortSignal,
): Promise<FetchedImage[]> {
  const { hold, ...options } = source
  const stop = new AbortController()
  const stopListening = whenAborted(signal, () => stop.abort(signal.reason))
  const total = new ByteBudget(maxFetchedTotalBytes, undefined, hold)
  const images: FetchedImage[] = []
  const pending = urls.entries()
  const work = async () => {
    for (const [index, url] of pending) {
      const outcome = await fetchImage(url, { ...options, signal: stop.signal, total })
      if (!outcome.ok) throw fetchFailureError(outcome.failure, nameOf(index, urls.length))
      images[index] = outcome.image
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(maxParallel, urls.length) }, work))
    return images
  } finally {
    stop.abort(new DOMException('Another image could not be fetched', 'AbortError'))
    stopListening()
  }
}

function nameOf(index: number, count: number): string {
  return count === 1 ? 'the image' : `image ${index + 1} of ${count}`
}
