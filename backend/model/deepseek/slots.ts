import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import {
  aboveDiagonal,
  concat,
  expand,
  mul,
  reshapeTo,
  split,
  unsqueeze,
} from '../../graph/operators.ts'
import { decoderNames } from './decoder-names.ts'

/** Masks out a score; far below any real one, and finite so that a row of them is still defined. */
const masked = -1e30

export interface Slot {
  /** int64 [2]: cached tokens T, new tokens S */
  readonly lengths: Value
  /** [S * heads, S]: 0 where a new token may look at another, very negative where it may not */
  readonly causalMask: Value
}

/** The tokens of a run, divided among its slots. A slot that takes no part has S = 0 and empty tensors. */
export interface SlotBatch {
  readonly slots: readonly Slot[]
  /** Rows of the whole batch -> one value per slot. */
  readonly split: (x: Value) => Value[]
}

/** Declares the inputs that say which tokens belong to whom, and derives from them, once for all layers, what attention needs. */
export function slotInputs(g: GraphBuilder, slots: number, heads: number): SlotBatch {
  const counts = g.input(decoderNames.counts, 'int64', [slots])
  const pastLengths = g.input(decoderNames.pastLengths, 'int64', [slots])
  const each = (x: Value) => (slots === 1 ? [x] : split(g, x, Array<number>(slots).fill(1), 0))
  return g.scope('slots', () => {
    const past = each(pastLengths)
    return {
      slots: each(counts).map((count, index) => ({
        lengths: concat(g, [past[index]!, count], 0),
        causalMask: causalMask(g, count, heads),
      })),
      split: (x) => (slots === 1 ? [x] : split(g, x, { value: counts, count: slots }, 0)),
    }
  })
}

/** Rows go token by token, and head by head inside a token. */
function causalMask(g: GraphBuilder, count: Value, heads: number): Value {
  const square = expand(g, g.float32s([masked], []), concat(g, [count, count], 0))
  const future = unsqueeze(g, aboveDiagonal(g, square), 1)
  const perHead = expand(g, future, concat(g, [count, g.int64s([heads]), count], 0))
  const rows = mul(g, count, g.int64s([heads]))
  return reshapeTo(g, perHead, concat(g, [rows, count], 0))
}
