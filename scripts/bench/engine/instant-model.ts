import type { Model, SlotId } from '../../../backend/model/model.ts'

/** Answers at once, with a vocabulary of the real size. */
export function instantModel(): Model {
  const logits = Float32Array.from({ length: 163_840 }, (_, i) => (i * 7919) % 101)
  const lengths = new Map<SlotId, number>()
  const unused = () => {
    throw new Error('Not part of this benchmark')
  }
  return {
    info: {
      vocabSize: 163_840,
      hiddenSize: 2048,
      contextTokens: 131_072,
      slots: 4,
      patchSize: 14,
      mergeSize: 2,
      imageTokenId: 163_605,
      cacheBytesPerToken: 9216,
      slotGrowthTokens: 256,
      cacheTokens: undefined,
    },
    beginImage: unused,
    openSlot() {
      const slot = lengths.size as SlotId
      lengths.set(slot, 0)
      return slot
    },
    closeSlot: (slot) => void lengths.delete(slot),
    forkSlot: unused,
    truncateSlot: unused,
    slotLength: (slot) => lengths.get(slot)!,
    keepRows: unused,
    restoreRows: unused,
    dropRows: unused,
    step(rows) {
      for (const { slot, tokenIds } of rows) lengths.set(slot, lengths.get(slot)! + tokenIds.length)
      const next = { candidates: undefined, row: () => Promise.resolve(logits) }
      return Promise.resolve(rows.filter(({ sample }) => sample).map(() => next))
    },
    close: () => Promise.resolve(),
  }
}
