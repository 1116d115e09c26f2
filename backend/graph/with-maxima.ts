import type { BuiltGraph } from './graph-builder.ts'
import type { NodeSpec, ValueSpec } from './onnx-proto.ts'

/** Names the axis of rows, over which maxima are taken. */
const rowAxis = '/maxima/axis'

/** The same graph with an output for each of its activations: the largest magnitude in every column, [width]. */
export function withMaxima(graph: BuiltGraph): BuiltGraph {
  const { spec, activations } = graph
  const outputs = [...activations].map(([name, { width }]): ValueSpec => ({
    name,
    type: 'float32',
    dims: [width],
  }))
  const axis = new Uint8Array(BigInt64Array.of(0n).buffer)
  return {
    ...graph,
    spec: {
      ...spec,
      nodes: [
        ...spec.nodes,
        ...[...activations].flatMap(([name, { value }]) => maximaNodes(name, value)),
      ],
      outputs: [...spec.outputs, ...outputs],
      initializers: [...spec.initializers, { name: rowAxis, type: 'int64', dims: [1], raw: axis }],
    },
  }
}

function maximaNodes(name: string, value: string): NodeSpec[] {
  const magnitudes = `/maxima/${name}`
  const node = (opType: string, inputs: readonly string[], output: string): NodeSpec => ({
    name: `${magnitudes}/${opType}`,
    opType,
    domain: '',
    inputs,
    outputs: [output],
    attributes: {},
  })
  const largest = node('ReduceMax', [magnitudes, rowAxis], name)
  return [
    node('Abs', [value], magnitudes),
    { ...largest, attributes: { keepdims: { kind: 'int', value: 0 } } },
  ]
}
