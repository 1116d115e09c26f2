import { readFile } from 'node:fs/promises'
import { cardMemory } from '../../../backend/device/card-memory.ts'

/** How much of the memory that holds a model on a card is in use. */
export interface UsedMemory {
  readonly kind: 'memory of the card' | 'memory of the software driver' | 'memory of the process'
  readonly bytes: number
}

/**
 * The card's, where its driver reports it; all programs on it count. Mesa's software driver keeps the device's memory
 * in shared pages of this process, which Linux counts apart from its own. Otherwise that of the whole process.
 */
export async function usedMemory(isSoftware: boolean): Promise<UsedMemory> {
  if (isSoftware) {
    const bytes = await sharedPages()
    if (bytes > 0) return { kind: 'memory of the software driver', bytes }
  } else {
    const card = await cardMemory()
    if (card !== undefined) {
      return { kind: 'memory of the card', bytes: card.totalBytes - card.freeBytes }
    }
  }
  return { kind: 'memory of the process', bytes: process.memoryUsage().rss }
}

/** Bytes of memory that this process shares and that is not part of a file; 0 where the system has no /proc. */
async function sharedPages(): Promise<number> {
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
  return 1024 * Number(/^RssShmem:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0)
}
