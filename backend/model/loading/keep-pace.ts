import { setTimeout as delay } from 'node:timers/promises'
import type { LoadingProgress } from './loading-progress.ts'

/**
 * Bytes that checking may be ahead of loading. Loading then finds the files in the page cache; what is read much earlier has
 * left it again where memory cannot hold both the weights and their files, and the disk is read twice.
 */
const aheadBytes = 2e9

/** Milliseconds between two looks. */
const lookMs = 20

/** Milliseconds after which loading that does not move is not waited for: it may have ended, or have another obstacle. */
const stillMs = 500

/** Waits while checking is too far ahead of loading, as long as loading moves. */
export async function keepPace(
  progress: Pick<LoadingProgress, 'checkedBytes' | 'loadedBytes'>,
  now: () => number,
): Promise<void> {
  let seen = progress.loadedBytes
  let since = now()
  while (progress.checkedBytes - seen > aheadBytes && now() - since < stillMs) {
    await delay(lookMs)
    const loaded = progress.loadedBytes
    if (loaded > seen) since = now()
    seen = Math.max(seen, loaded)
  }
}
