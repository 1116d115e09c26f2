import type { GraphBuilder, Value } from '../graph-builder.ts'
import { int, single } from './node.ts'

/** Along one axis. */

/** Largest value along the last axis, which is kept with length 1. */
export function reduceMax(g: GraphBuilder, x: Value): Value {
  return single(g, 'ReduceMax', [x, g.int64s([-1])], { attributes: { keepdims: int(1) } })
}

export function reduceMin(g: GraphBuilder, x: Value): Value {
  return single(g, 'ReduceMin', [x, g.int64s([-1])], { attributes: { keepdims: int(1) } })
}

export function softmax(g: GraphBuilder, x: Value): Value {
  return single(g, 'Softmax', [x], { attributes: { axis: int(-1) } })
}

/** x divided by the sum of its magnitudes along the last axis. */
export function shareOfSum(g: GraphBuilder, x: Value): Value {
  return single(g, 'LpNormalization', [x], { attributes: { p: int(1), axis: int(-1) } })
}

export function cumSumExclusive(g: GraphBuilder, x: Value, axis: number): Value {
  return single(g, 'CumSum', [x, g.int64s([axis], [])], { attributes: { exclusive: int(1) } })
}

export function reduceSum(g: GraphBuilder, x: Value, axis: number, keepDims: boolean): Value {
  return single(g, 'ReduceSum', [x, g.int64s([axis])], {
    attributes: { keepdims: int(keepDims ? 1 : 0) },
  })
}

/** ln of the sum of e^x along the last axis, which is dropped. */
export function reduceLogSumExp(g: GraphBuilder, x: Value): Value {
  return single(g, 'ReduceLogSumExp', [x, g.int64s([-1])], { attributes: { keepdims: int(0) } })
}
