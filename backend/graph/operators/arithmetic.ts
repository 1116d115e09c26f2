import type { GraphBuilder, Value } from '../graph-builder.ts'
import { elementTypes, type ElementType } from '../onnx-proto.ts'
import { contrib, float, int, single, text } from './node.ts'

/** Element by element. */

export function add(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Add', [a, b])
}

/** x + 0: the same values in memory of their own. */
export function copied(g: GraphBuilder, x: Value): Value {
  return add(g, x, g.float32s([0], []))
}

export function mul(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Mul', [a, b])
}

export function div(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Div', [a, b])
}

export function sigmoid(g: GraphBuilder, x: Value): Value {
  return single(g, 'Sigmoid', [x])
}

/** x * sigmoid(x) (`QuickGelu` with alpha 1). */
export function silu(g: GraphBuilder, x: Value): Value {
  return single(g, 'QuickGelu', [x], { domain: contrib, attributes: { alpha: float(1) } })
}

export function gelu(g: GraphBuilder, x: Value, approximate: 'tanh' | 'none'): Value {
  return single(g, 'Gelu', [x], { attributes: { approximate: text(approximate) } })
}

/** Element-wise maximum of several tensors. */
export function max(g: GraphBuilder, values: readonly Value[]): Value {
  return single(g, 'Max', values)
}

export function neg(g: GraphBuilder, x: Value): Value {
  return single(g, 'Neg', [x])
}

/** a = b, element by element. */
export function equal(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Equal', [a, b])
}

/** a > b, element by element. */
export function greater(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Greater', [a, b])
}

export function cast(g: GraphBuilder, x: Value, type: ElementType): Value {
  return single(g, 'Cast', [x], { attributes: { to: int(elementTypes[type].onnx) } })
}
