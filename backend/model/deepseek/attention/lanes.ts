import type { GraphBuilder, Value, ValueType } from '../../../graph/graph-builder.ts'
import { greater } from '../../../graph/operators/arithmetic.ts'
import { ifElse } from '../../../graph/operators/if-else.ts'
import { reduceSum } from '../../../graph/operators/reductions.ts'
import { aboveDiagonal, concat, expand, split } from '../../../graph/operators/shapes.ts'
import { decoderNames } from '../decoder-names.ts'

/** Masks out a score: far below any real one, and finite so that a fully masked row is still defined. */
const masked = -1e30

/** One sequence's part of a run: T tokens in its cache, S new ones. An idle lane has S = 0 and empty tensors. */
export interface Lane {
  readonly name: string
  /** bool [1]: whether there are new tokens */
  readonly busy: Value
  /** int64 [2]: T, S */
  readonly lengths: Value
  /** Added to scores: very negative where a new token would attend to a later one. See `LaneBatch`. */
  readonly causalMask: Value
}

/** The tokens of a run, divided among its lanes: first all absorbed lanes, then the expanded one. */
export interface LaneBatch {
  /**
   * These attend in latent space, which is cheapest for one token or a few. Busy ones come first. Masks [S, S], over
   * the new tokens only.
   */
  readonly absorbed: readonly Lane[]
  /** Attends with keys and values expanded, which is cheapest for a long chunk. Mask [S, T + S]. */
  readonly expanded: Lane
  /** int64 [lanes + 1]: new tokens of each lane */
  readonly counts: Value
  /** int64 [2]: new tokens of all absorbed lanes, and of the expanded one */
  readonly groups: Value
  /** int64 [lanes]: `counts` without the expanded lane */
  readonly absorbedCounts: Value
}

/** The new tokens of one group of lanes. */
export interface GroupTokens {
  /** [heads, n, nope] */
  readonly qNope: Value
  /** [heads, n, rope] */
  readonly qRope: Value
  /** [n, latent + rope] */
  readonly present: Value
}

/**
 * Attention of one lane, skipped when it has no new tokens: its operators would take microseconds each, and ONNX
 * Runtime 1.30 crashes when transposes that it fused into a product get empty operands.
 * @param attend returns [heads, S, width]
 */
export function ifBusy(
  g: GraphBuilder,
  lane: Lane,
  { heads, width }: { readonly heads: number; readonly width: number },
  attend: () => Value,
): Value {
  const mixed: ValueType = { type: 'float32', dims: [heads, `${lane.name} tokens`, width] }
  const [result] = ifElse(g, lane.busy, [mixed], {
    ifTrue: () => [attend()],
    ifFalse: () => [g.float32s([], [heads, 0, width])],
  })
  return result!
}

/**
 * Declares the inputs that assign tokens to lanes, and derives from them, once for all layers, what attention needs.
 */
export function laneInputs(g: GraphBuilder, absorbedLanes: number): LaneBatch {
  const counts = g.input(decoderNames.counts, 'int64', [absorbedLanes + 1])
  const pastLengths = g.input(decoderNames.pastLengths, 'int64', [absorbedLanes + 1])
  return g.scope('lanes', () => {
    const each = (x: Value) => split(g, x, Array<number>(absorbedLanes + 1).fill(1), 0)
    const [countOf, pastOf] = [each(counts), each(pastLengths)]
    const zero = g.int64s([0])
    const busy = countOf.map((count) => greater(g, count, zero))
    const lengths = countOf.map((count, lane) => concat(g, [pastOf[lane]!, count], 0))
    const [absorbedCounts, expandedCount] = split(g, counts, [absorbedLanes, 1], 0)
    return {
      absorbed: Array.from({ length: absorbedLanes }, (_, lane) => ({
        name: `lane.${lane}`,
        busy: busy[lane]!,
        lengths: lengths[lane]!,
        causalMask: newTokenMask(g, countOf[lane]!),
      })),
      expanded: {
        name: 'lane.expanded',
        busy: busy[absorbedLanes]!,
        lengths: lengths[absorbedLanes]!,
        causalMask: wholeMask(g, pastOf[absorbedLanes]!, countOf[absorbedLanes]!),
      },
      counts,
      groups: concat(g, [reduceSum(g, absorbedCounts!, 0, true), expandedCount!], 0),
      absorbedCounts: absorbedCounts!,
    }
  })
}

/** [S, S] */
function newTokenMask(g: GraphBuilder, count: Value): Value {
  const square = expand(g, g.float32s([masked], []), concat(g, [count, count], 0))
  return aboveDiagonal(g, square)
}

/** [S, T + S]: everything in the cache is visible. */
function wholeMask(g: GraphBuilder, past: Value, count: Value): Value {
  const open = expand(g, g.float32s([0], []), concat(g, [count, past], 0))
  return concat(g, [open, newTokenMask(g, count)], 1)
}
