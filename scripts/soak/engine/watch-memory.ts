import type { Model, RowsId, SlotId } from '../../../backend/model/model.ts'

/** A model and what its caches really hold, to check the engine's own counters against. */
interface WatchedModel {
  readonly model: Model
  /** Tokens of memory in open slots and kept rows now. */
  readonly tokens: () => number
  /** The most there have been after any step or copy. */
  readonly peakTokens: () => number
}

/** Passes all calls on to `model` and counts the memory they take and release. */
export function watchMemory(model: Model): WatchedModel {
  const open = new Set<SlotId>()
  const kept = new Map<RowsId, number>()
  let peak = 0
  const tokens = () => {
    const { slotGrowthTokens: unit } = model.info
    let sum = 0
    for (const slot of open) sum += Math.ceil(model.slotLength(slot) / unit) * unit
    for (const count of kept.values()) sum += count
    return sum
  }
  const noted = <T>(value: T): T => {
    peak = Math.max(peak, tokens())
    return value
  }
  const opened = (slot: SlotId) => {
    open.add(slot)
    return noted(slot)
  }
  const watched: Model = {
    info: model.info,
    beginImage: (image) => model.beginImage(image),
    openSlot: () => opened(model.openSlot()),
    forkSlot: (source, count) => opened(model.forkSlot(source, count)),
    truncateSlot: (slot, count) => model.truncateSlot(slot, count),
    slotLength: (slot) => model.slotLength(slot),
    step: async (rows) => noted(await model.step(rows)),
    restoreRows: (slot, rows) => noted(model.restoreRows(slot, rows)),
    close: () => model.close(),
    closeSlot(slot) {
      model.closeSlot(slot)
      open.delete(slot)
    },
    keepRows(slot, from, to) {
      const rows = model.keepRows(slot, from, to)
      kept.set(rows, to - from)
      return noted(rows)
    },
    dropRows(rows) {
      model.dropRows(rows)
      kept.delete(rows)
    },
  }
  return { model: watched, tokens, peakTokens: () => peak }
}
