import type { GraphBuilder, Value, ValueType } from './graph-builder.ts'
import { elementTypes, type Attribute, type ElementType } from './onnx-proto.ts'

/** One function per ONNX operator; arguments in the operator's own order, results as values. */

const contrib = 'com.microsoft'
const int = (value: number): Attribute => ({ kind: 'int', value })
const float = (value: number): Attribute => ({ kind: 'float', value })
const text = (value: string): Attribute => ({ kind: 'string', value })
const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value })

type NodeArguments = Parameters<GraphBuilder['node']>

function single(g: GraphBuilder, ...args: NodeArguments): Value {
  return g.node(...args)[0]!
}

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

export function matMul(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'MatMul', [a, b])
}

/** alpha * a b, or alpha * a b^T. */
export function fusedMatMul(
  g: GraphBuilder,
  a: Value,
  b: Value,
  { transB = false, alpha = 1 }: { transB?: boolean; alpha?: number },
): Value {
  const attributes = { transB: int(transB ? 1 : 0), alpha: float(alpha) }
  return single(g, 'FusedMatMul', [a, b], { domain: contrib, attributes })
}

/** alpha * x w^T + c, x [M, K], w [N, K], c broadcast to [M, N]. */
export function gemm(
  g: GraphBuilder,
  x: Value,
  w: Value,
  { c, alpha = 1 }: { readonly c?: Value | undefined; readonly alpha?: number } = {},
): Value {
  const inputs = c === undefined ? [x, w] : [x, w, c]
  return single(g, 'Gemm', inputs, { attributes: { transB: int(1), alpha: float(alpha) } })
}

interface MatMulNBitsShape {
  readonly n: number
  readonly k: number
  readonly blockSize: number
  /**
   * `int8`: rounded per block, the only form with a fast 8-bit kernel on the CPU. `float32`: not rounded, so outliers
   * among them cost nothing.
   */
  readonly activations: 'int8' | 'float32'
}

/** x w^T + bias with 8-bit w [N, blocks, blockSize] and scales [N, blocks]. */
export function matMulNBits(
  g: GraphBuilder,
  x: Value,
  weight: { values: Value; scales: Value },
  shape: MatMulNBitsShape,
  bias?: Value,
): Value {
  const inputs = [x, weight.values, weight.scales, undefined, undefined, bias]
  return single(g, 'MatMulNBits', bias === undefined ? inputs.slice(0, 3) : inputs, {
    domain: contrib,
    attributes: {
      K: int(shape.k),
      N: int(shape.n),
      bits: int(8),
      block_size: int(shape.blockSize),
      accuracy_level: int(shape.activations === 'int8' ? 4 : 0),
    },
  })
}

/** Element-wise maximum of several tensors. */
export function max(g: GraphBuilder, values: readonly Value[]): Value {
  return single(g, 'Max', values)
}

export function neg(g: GraphBuilder, x: Value): Value {
  return single(g, 'Neg', [x])
}

/** Largest value along the last axis, which is kept with length 1. */
export function reduceMax(g: GraphBuilder, x: Value): Value {
  return single(g, 'ReduceMax', [x, g.int64s([-1])], { attributes: { keepdims: int(1) } })
}

export function reduceMin(g: GraphBuilder, x: Value): Value {
  return single(g, 'ReduceMin', [x, g.int64s([-1])], { attributes: { keepdims: int(1) } })
}

/** round(x / scale) + zeroPoint, clamped to 0..255. */
export function quantizeLinear(g: GraphBuilder, x: Value, scale: Value, zeroPoint: Value): Value {
  return single(g, 'QuantizeLinear', [x, scale, zeroPoint])
}

/** (a - zeroPoint) w, scaled by aScale and per column by wScale: a uint8 [M, K], w int8 [K, N]. */
export function matMulIntegerToFloat(
  g: GraphBuilder,
  a: { values: Value; scale: Value; zeroPoint: Value },
  w: { values: Value; scales: Value },
): Value {
  const inputs = [a.values, w.values, a.scale, w.scales, a.zeroPoint]
  return single(g, 'MatMulIntegerToFloat', inputs, { domain: contrib })
}

/** a = b, element by element. */
export function equal(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Equal', [a, b])
}

/** a > b, element by element. */
export function greater(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'Greater', [a, b])
}

/**
 * The values of one of two branches; only the branch taken runs.
 * @param condition bool [1]
 * @param outputs types of the values, the same for both branches
 */
export function ifElse(
  g: GraphBuilder,
  condition: Value,
  outputs: readonly ValueType[],
  { ifTrue, ifFalse }: Readonly<Record<'ifTrue' | 'ifFalse', () => readonly Value[]>>,
): Value[] {
  return g.node('If', [condition], {
    outputs: outputs.length,
    attributes: {
      then_branch: { kind: 'graph', value: g.branch('then', outputs, ifTrue) },
      else_branch: { kind: 'graph', value: g.branch('else', outputs, ifFalse) },
    },
  })
}

export function softmax(g: GraphBuilder, x: Value): Value {
  return single(g, 'Softmax', [x], { attributes: { axis: int(-1) } })
}

export function layerNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  bias: Value,
  epsilon: number,
): Value {
  return single(g, 'LayerNormalization', [x, scale, bias], {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  })
}

/** RMSNorm over the last axis. */
export function simplifiedLayerNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  epsilon: number,
): Value {
  return single(g, 'SimplifiedLayerNormalization', [x, scale], {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  })
}

/** sum = x + skip, normalized = RMSNorm(sum). */
export function skipSimplifiedLayerNormalization(
  g: GraphBuilder,
  x: Value,
  skip: Value,
  scale: Value,
  epsilon: number,
): { normalized: Value; sum: Value } {
  const outputs = g.node('SkipSimplifiedLayerNormalization', [x, skip, scale], {
    domain: contrib,
    outputs: 4,
    attributes: { epsilon: float(epsilon) },
  })
  return { normalized: outputs[0]!, sum: outputs[3]! }
}

/**
 * Rotates adjacent pairs of x [batch, tokens, heads * dim] by cos/sin [positions, n / 2] at `positions`.
 * @param rotated how many leading numbers of each head are rotated: n; all unless given
 */
export function rotaryEmbedding(
  g: GraphBuilder,
  x: Value,
  positions: Value,
  table: { cos: Value; sin: Value },
  heads: number,
  rotated?: number,
): Value {
  const part = rotated === undefined ? {} : { rotary_embedding_dim: int(rotated) }
  return single(g, 'RotaryEmbedding', [x, positions, table.cos, table.sin], {
    domain: contrib,
    attributes: { interleaved: int(1), num_heads: int(heads), ...part },
  })
}

interface PastAttention {
  /** [batch, 0, width]: no new rows, since all are in the past already. */
  readonly none: Value
  /** [batch, 1, cached, width], the new tokens included; keys and values at once. */
  readonly past: Value
  /** int32 [batch]: tokens of each sequence, less one */
  readonly lastPositions: Value
  /** int32 [1]: tokens of the longest; read by the host */
  readonly longest: Value
  readonly heads: number
  readonly scale: number
}

/**
 * Causal attention of the last tokens q [batch, tokens, heads * width] over one head of keys and values that are all in the
 * cache. The batch must be 1 when there are several tokens.
 * @returns as q
 */
export function attendToPast(g: GraphBuilder, q: Value, inputs: PastAttention): Value {
  const { none, past, lastPositions, longest, heads, scale } = inputs
  // ONNX Runtime 1.30 crashes on the CPU when the operator's other two outputs are not declared.
  return g.node('GroupQueryAttention', [q, none, none, past, past, lastPositions, longest], {
    domain: contrib,
    outputs: 3,
    attributes: { num_heads: int(heads), kv_num_heads: int(1), scale: float(scale) },
  })[0]!
}

export function cast(g: GraphBuilder, x: Value, type: ElementType): Value {
  return single(g, 'Cast', [x], { attributes: { to: int(elementTypes[type].onnx) } })
}

/** x with rows of `updates` [n, width] in place of those at `rows` [n, 1], which must be distinct. */
export function scatterRows(g: GraphBuilder, x: Value, rows: Value, updates: Value): Value {
  return single(g, 'ScatterND', [x, rows, updates])
}

/** x in the shape held by `shape`. */
export function reshapeTo(g: GraphBuilder, x: Value, shape: Value): Value {
  return single(g, 'Reshape', [x, shape])
}

/** The first numbers along some axes. @param lengths by axis */
export function leading(g: GraphBuilder, x: Value, lengths: ReadonlyMap<number, number>): Value {
  const [axes, ends] = [[...lengths.keys()], [...lengths.values()]]
  const starts = g.int64s(ends.map(() => 0))
  return single(g, 'Slice', [x, starts, g.int64s(ends), g.int64s(axes)])
}

/** Full (bidirectional) attention; q, k, v [batch, tokens, heads * dim], scale 1 / sqrt(dim). */
export function multiHeadAttention(
  g: GraphBuilder,
  q: Value,
  k: Value,
  v: Value,
  heads: number,
): Value {
  return single(g, 'MultiHeadAttention', [q, k, v], {
    domain: contrib,
    attributes: { num_heads: int(heads) },
  })
}

export function reshape(g: GraphBuilder, x: Value, dims: readonly number[]): Value {
  return single(g, 'Reshape', [x, g.int64s(dims)])
}

export function transpose(g: GraphBuilder, x: Value, permutation: readonly number[]): Value {
  return single(g, 'Transpose', [x], { attributes: { perm: ints(permutation) } })
}

export function concat(g: GraphBuilder, parts: readonly Value[], axis: number): Value {
  return single(g, 'Concat', parts, { attributes: { axis: int(axis) } })
}

/**
 * Splits along `axis` into pieces whose lengths are known at build time (numbers) or at run time (a value and their
 * count).
 */
export function split(
  g: GraphBuilder,
  x: Value,
  lengths: readonly number[] | { readonly value: Value; readonly count: number },
  axis: number,
): Value[] {
  const fixed = 'value' in lengths ? undefined : lengths
  const value = 'value' in lengths ? lengths.value : g.int64s(lengths)
  const outputs = 'value' in lengths ? lengths.count : fixed!.length
  return g.node('Split', [x, value], { outputs, attributes: { axis: int(axis) } })
}

export function gather(g: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  return single(g, 'Gather', [x, indices], { attributes: { axis: int(axis) } })
}

export function gatherElements(g: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  return single(g, 'GatherElements', [x, indices], { attributes: { axis: int(axis) } })
}

/** @param reduction whether an update replaces the value at its index or is added to it */
export function scatterElements(
  g: GraphBuilder,
  x: Value,
  indices: Value,
  updates: Value,
  axis: number,
  reduction: 'none' | 'add' = 'none',
): Value {
  const attributes = { axis: int(axis), reduction: text(reduction) }
  return single(g, 'ScatterElements', [x, indices, updates], { attributes })
}

/** The indices that sort x [n] in ascending order; equal values keep their order. @param n int64 [1] */
export function ascendingOrder(g: GraphBuilder, x: Value, n: Value): Value {
  const attributes = { axis: int(0), largest: int(0), sorted: int(1) }
  return g.node('TopK', [x, n], { outputs: 2, attributes })[1]!
}

/** x divided by the sum of its magnitudes along the last axis. */
export function shareOfSum(g: GraphBuilder, x: Value): Value {
  return single(g, 'LpNormalization', [x], { attributes: { p: int(1), axis: int(-1) } })
}

/** The k largest along the last axis and their indices, in falling order. */
export function topK(g: GraphBuilder, x: Value, k: number): { values: Value; indices: Value } {
  const attributes = { axis: int(-1), largest: int(1), sorted: int(1) }
  const [values, indices] = g.node('TopK', [x, g.int64s([k])], { outputs: 2, attributes })
  return { values: values!, indices: indices! }
}

/** Indices of the k largest along the last axis; of equal values, the lower index comes first. */
export function topKIndices(g: GraphBuilder, x: Value, k: number): Value {
  const attributes = { axis: int(-1), largest: int(1), sorted: int(0) }
  return g.node('TopK', [x, g.int64s([k])], { outputs: 2, attributes })[1]!
}

/** The same, those of the largest values first. */
export function topKIndicesSorted(g: GraphBuilder, x: Value, k: number): Value {
  return topK(g, x, k).indices
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

/** x with `value` after the end of each axis. @param counts how often, by axis */
export function padEnd(g: GraphBuilder, x: Value, counts: readonly number[], value: number): Value {
  const pads = g.int64s([...counts.map(() => 0), ...counts])
  return single(g, 'Pad', [x, pads, g.float32s([value], [])])
}

export function shapeOf(g: GraphBuilder, x: Value): Value {
  return single(g, 'Shape', [x])
}

export function unsqueeze(g: GraphBuilder, x: Value, axis: number): Value {
  return single(g, 'Unsqueeze', [x, g.int64s([axis])])
}

export function squeeze(g: GraphBuilder, x: Value, axis: number): Value {
  return single(g, 'Squeeze', [x, g.int64s([axis])])
}

/** `value` repeated to the shape held by `shape`. */
export function expand(g: GraphBuilder, value: Value, shape: Value): Value {
  return single(g, 'Expand', [value, shape])
}

/** Keeps the values strictly above the diagonal of a matrix; the rest become zero. */
export function aboveDiagonal(g: GraphBuilder, x: Value): Value {
  return single(g, 'Trilu', [x, g.int64s([1], [])], { attributes: { upper: int(1) } })
}
