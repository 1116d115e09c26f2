import type { Activation, BuiltGraph } from './graph-builder.ts'
import type { Attribute, InitializerSpec, NodeSpec, ValueSpec } from './onnx-proto.ts'

/** Names of the axes of rows and of channels. */
const axes = { rows: '/maxima/rows', channels: '/maxima/channels' } as const

/** Name of the least median that magnitudes are divided by. */
const leastMedian = '/maxima/least'

/** Where half of a row's channels are zero, the others count as large. */
const tiny = 1e-30

/**
 * The same graph with an output for each of its activations: the largest magnitude in every column, [width]. Those of a norm
 * are relative to the median of their row.
 */
export function withMaxima(graph: BuiltGraph): BuiltGraph {
  const { spec, activations } = graph
  const all = [...activations]
  const outputs = all.map(([name, { width }]): ValueSpec => ({
    name,
    type: 'float32',
    dims: [width],
  }))
  return {
    ...graph,
    spec: {
      ...spec,
      nodes: [...spec.nodes, ...all.flatMap(([name, each]) => maximaNodes(name, each))],
      outputs: [...spec.outputs, ...outputs],
      initializers: [
        ...spec.initializers,
        int64(axes.rows, 0),
        ...medianInitializers(all.filter(([, { isNormed }]) => isNormed)),
      ],
    },
  }
}

function maximaNodes(name: string, { value, isNormed }: Activation): NodeSpec[] {
  const magnitudes = `/maxima/${name}`
  const relative = isNormed ? `${magnitudes}/relative` : magnitudes
  return [
    node('Abs', [value], [magnitudes]),
    ...(isNormed ? medianNodes(name, magnitudes, relative) : []),
    node('ReduceMax', [relative, axes.rows], [name], { keepdims: { kind: 'int', value: 0 } }),
  ]
}

/** What `medianNodes` read. */
function medianInitializers(normed: readonly (readonly [string, Activation])[]): InitializerSpec[] {
  if (normed.length === 0) return []
  const least = new Uint8Array(Float32Array.of(tiny).buffer)
  return [
    int64(axes.channels, 1),
    { name: leastMedian, type: 'float32', dims: [1], raw: least },
    ...normed.map(([name, { width }]) => int64(halfOf(name), Math.ceil(width / 2))),
  ]
}

/** Divides each row by its median: the least of its larger half. */
function medianNodes(name: string, magnitudes: string, relative: string): NodeSpec[] {
  const part = (what: string) => `${magnitudes}/${what}`
  return [
    node('TopK', [magnitudes, halfOf(name)], [part('half'), part('indices')], {
      sorted: { kind: 'int', value: 0 },
    }),
    node('ReduceMin', [part('half'), axes.channels], [part('least')]),
    node('Max', [part('least'), leastMedian], [part('median')]),
    node('Div', [magnitudes, part('median')], [relative]),
  ]
}

/** Name of the number of channels that are the larger half. */
function halfOf(name: string): string {
  return `/maxima/${name}/count`
}

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): NodeSpec {
  return { name: `${outputs[0]}/${opType}`, opType, domain: '', inputs, outputs, attributes }
}

function int64(name: string, value: number): InitializerSpec {
  const raw = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)
  return { name, type: 'int64', dims: [1], raw }
}
