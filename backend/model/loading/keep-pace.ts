import { setTimeout as delay } from 'node:timers/promises'
import type { LoadingProgress } from './loading-progress.ts'

/**
 * Bytes that checking may be ahead of loading. Loading then finds the files in the page cache; what is read much earlier has
 * left it again where memory cannot hold both the weights and their files, and the disk is read twice.
 */
const aheadBytes = 2e9

/** Milliseconds between two looks. */
const lookMs = 20

/**
 * Milliseconds after which loading that does not move is no longer waited for: it may have ended or failed, or its
 * memory may have been swapped out.
 */
const stillMs = 3_000

/** Bytes that loading has to grow by to count as moving: the memory of a process always grows a little. */
const leastMove = 16e6

/**
 * Returns a function that waits while checking is too far ahead of loading, as long as loading moves. Loading that stands
 * still is waited for once, not at each call.
 */
export function pacedBy(
  progress: Pick<LoadingProgress, 'checkedBytes' | 'loadedBytes'>,
  now: () => number,
): () => Promise<void> {
  let seen = progress.loadedBytes
  let since = now()
  return async () => {
    for (;;) {
      const loaded = progress.loadedBytes
      if (loaded >= seen + leastMove) {
        seen = loaded
        since = now()
      }
      const isNear = progress.checkedBytes - Math.max(seen, loaded) <= aheadBytes
      if (isNear || now() - since >= stillMs) return
      await delay(lookMs)
    }
  }
}
