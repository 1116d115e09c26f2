import { cardMemory } from '../../../backend/device/card-memory.ts'

/** How much of the memory that holds a model on a card is in use. */
export interface UsedMemory {
  readonly kind: 'memory of the card' | 'memory of the process'
  readonly bytes: number
}

/**
 * The card's, where its driver reports it; all programs on it count. Otherwise the process's, which a driver that
 * computes on the CPU uses too.
 */
export async function usedMemory(isSoftware: boolean): Promise<UsedMemory> {
  const card = isSoftware ? undefined : await cardMemory()
  if (card !== undefined) {
    return { kind: 'memory of the card', bytes: card.totalBytes - card.freeBytes }
  }
  return { kind: 'memory of the process', bytes: process.memoryUsage().rss }
}
