import protobuf from 'protobufjs'

/** ONNX element types used here (onnx.proto, TensorProto.DataType). */
export const elementTypes = {
  float32: { onnx: 1, bytes: 4 },
  uint8: { onnx: 2, bytes: 1 },
  int8: { onnx: 3, bytes: 1 },
  int32: { onnx: 6, bytes: 4 },
  int64: { onnx: 7, bytes: 8 },
  float16: { onnx: 10, bytes: 2 },
} as const
export type ElementType = keyof typeof elementTypes

/** Number of values in a tensor of these dimensions. */
export function valueCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1)
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  /** A branch of `If`: it has no inputs, and can use the values of the surrounding graph. */
  | { readonly kind: 'graph'; readonly value: GraphSpec }

export interface NodeSpec {
  readonly name: string
  readonly opType: string
  readonly domain: string
  /** '' stands for an omitted optional input. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A graph input or output; a string dimension is symbolic. */
export interface ValueSpec {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly (number | string)[]
}

/** An initializer in the graph file (`raw`) or in the weights file (`offset`, bytes). */
export type InitializerSpec = (TensorSpec & { readonly raw: Uint8Array }) | ExternalInitializer

interface TensorSpec {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
}

/** An initializer in the weights file. */
export interface ExternalInitializer extends TensorSpec {
  readonly offset: number
  readonly byteLength: number
}

export interface GraphSpec {
  readonly name: string
  readonly nodes: readonly NodeSpec[]
  readonly inputs: readonly ValueSpec[]
  readonly outputs: readonly ValueSpec[]
  readonly initializers: readonly InitializerSpec[]
}

/**
 * Opset 21 has every standard operator used here; the contrib operators of ONNX Runtime are version 1. Opset 21 goes
 * with IR 10.
 */
const irVersion = 10
const opsets = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
]

/** The part of onnx.proto (github.com/onnx/onnx) that is written here: message -> field -> [number, type, rule]. */
const schema = {
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  StringStringEntryProto: { key: [1, 'string'], value: [2, 'string'] },
  TensorProto: {
    dims: [1, 'int64', 'repeated'],
    dataType: [2, 'int32'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    externalData: [13, 'StringStringEntryProto', 'repeated'],
    dataLocation: [14, 'int32'],
  },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    g: [6, 'GraphProto'],
    ints: [8, 'int64', 'repeated'],
    type: [20, 'int32'],
  },
  NodeProto: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'repeated'],
    domain: [7, 'string'],
  },
  Dimension: { dimValue: [1, 'int64'], dimParam: [2, 'string'] },
  TensorShapeProto: { dim: [1, 'Dimension', 'repeated'] },
  TensorTypeProto: { elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] },
  TypeProto: { tensorType: [1, 'TensorTypeProto'] },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'] },
  GraphProto: {
    node: [1, 'NodeProto', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'repeated'],
    input: [11, 'ValueInfoProto', 'repeated'],
    output: [12, 'ValueInfoProto', 'repeated'],
  },
  ModelProto: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
  },
} as const satisfies Record<string, Record<string, readonly [number, string, 'repeated'?]>>

const root = new protobuf.Root()
for (const [message, fields] of Object.entries(schema)) {
  const type = new protobuf.Type(message)
  for (const [field, [id, fieldType, rule]] of Object.entries<
    readonly [number, string, 'repeated'?]
  >(fields)) {
    type.add(new protobuf.Field(field, id, fieldType, rule))
  }
  root.add(type)
}
const modelProto = root.lookupType('ModelProto')

/** Serialises a graph as an ONNX ModelProto whose large initializers are in `weightsFile`, next to the graph file. */
export function encodeModel(graph: GraphSpec, weightsFile: string): Uint8Array {
  return modelProto
    .encode({
      irVersion,
      producerName: 'describe-server',
      opsetImport: opsets,
      graph: encodeGraph(graph, weightsFile),
    })
    .finish()
}

function encodeGraph(graph: GraphSpec, weightsFile: string): object {
  return {
    name: graph.name,
    node: graph.nodes.map((node) => encodeNode(node, weightsFile)),
    initializer: graph.initializers.map((tensor) => encodeInitializer(tensor, weightsFile)),
    input: graph.inputs.map(encodeValue),
    output: graph.outputs.map(encodeValue),
  }
}

function encodeNode(node: NodeSpec, weightsFile: string) {
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, attribute]) =>
      encodeAttribute(name, attribute, weightsFile),
    ),
  }
}

/** AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, GRAPH 5, INTS 7. */
function encodeAttribute(name: string, attribute: Attribute, weightsFile: string) {
  switch (attribute.kind) {
    case 'float':
      return { name, type: 1, f: attribute.value }
    case 'int':
      return { name, type: 2, i: attribute.value }
    case 'string':
      return { name, type: 3, s: new TextEncoder().encode(attribute.value) }
    case 'ints':
      return { name, type: 7, ints: attribute.value }
    case 'graph':
      return { name, type: 5, g: encodeGraph(attribute.value, weightsFile) }
  }
}

const externalLocation = 1

function encodeInitializer(tensor: InitializerSpec, weightsFile: string) {
  const common = {
    name: tensor.name,
    dataType: elementTypes[tensor.type].onnx,
    dims: tensor.dims,
  }
  if ('raw' in tensor) return { ...common, rawData: tensor.raw }
  return {
    ...common,
    dataLocation: externalLocation,
    externalData: [
      { key: 'location', value: weightsFile },
      { key: 'offset', value: String(tensor.offset) },
      { key: 'length', value: String(tensor.byteLength) },
    ],
  }
}

function encodeValue(value: ValueSpec) {
  const dim = value.dims.map((size) =>
    typeof size === 'string' ? { dimParam: size } : { dimValue: size },
  )
  return {
    name: value.name,
    type: { tensorType: { elemType: elementTypes[value.type].onnx, shape: { dim } } },
  }
}
