import {
  elementTypes,
  type Attribute,
  type ElementType,
  type GraphSpec,
  type InitializerSpec,
  type NodeSpec,
  type ValueSpec,
} from './onnx-proto.ts'

/** The name of a tensor in the graph. */
export type Value = string & { readonly __value: unique symbol }

/** Writes bytes of one external initializer; `at` counts from its start. */
type WriteBytes = (tensor: Value, at: number, bytes: Uint8Array) => Promise<void>

/** Produces the bytes of one or more external initializers when the weights file is written. */
export interface WeightFill {
  readonly name: string
  readonly run: (write: WriteBytes) => Promise<void>
}

/** An intermediate result of a graph that can be made visible: see `withMaxima`. */
export interface Activation {
  /** [rows, width] */
  readonly value: Value
  readonly width: number
  /** Whether a norm has made it. */
  readonly isNormed: boolean
}

export interface BuiltGraph {
  readonly spec: GraphSpec
  readonly fills: readonly WeightFill[]
  readonly weightBytes: number
  /** By their names. */
  readonly activations: ReadonlyMap<string, Activation>
}

/** Page size: ONNX Runtime maps the weights file, and mappings begin on page boundaries. */
const weightAlignment = 4096

/** Element type and shape; unknown dimensions have names. */
export type ValueType = Pick<ValueSpec, 'type' | 'dims'>

interface NodeOptions {
  readonly domain?: string
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly outputs?: number
  /** Last part of the node's name; defaults to the operator's name. */
  readonly name?: string
}

/**
 * Collects an ONNX graph. Names are paths of the scopes they are made in (`/layers.3/moe/router/Gemm`), unique by
 * construction. External initializers get aligned offsets in the order of their declaration, so the same calls always
 * produce the same weights file.
 */
export class GraphBuilder {
  readonly #name: string
  #nodes: NodeSpec[] = []
  readonly #inputs: ValueSpec[] = []
  readonly #outputs: ValueSpec[] = []
  #initializers: InitializerSpec[] = []
  readonly #externals: InitializerSpec[] = []
  readonly #fills: WeightFill[] = []
  readonly #activations = new Map<string, Activation>()
  readonly #names = new Set<string>()
  #scope = ''
  #weightBytes = 0

  constructor(name: string) {
    this.#name = name
  }

  /** Everything declared inside `build` gets a name below `name`. */
  scope<Result>(name: string, build: () => Result): Result {
    const outer = this.#scope
    this.#scope = `${outer}/${name}`
    try {
      return build()
    } finally {
      this.#scope = outer
    }
  }

  input(name: string, type: ElementType, dims: readonly (number | string)[]): Value {
    this.#inputs.push({ name: this.#claim(name), type, dims })
    return name as Value
  }

  /** Makes `value` a graph output called `name`. */
  output(name: string, value: Value, type: ElementType, dims: readonly (number | string)[]): void {
    this.#nodes.push({
      name: this.#claim(`/outputs/${name}`),
      opType: 'Identity',
      domain: '',
      inputs: [value],
      outputs: [this.#claim(name)],
      attributes: {},
    })
    this.#outputs.push({ name, type, dims })
  }

  int64s(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.#small('int64', dims, BigInt64Array.from(values, BigInt))
  }

  float32s(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.#small('float32', dims, Float32Array.from(values))
  }

  uint8s(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.#small('uint8', dims, Uint8Array.from(values))
  }

  /** Gives an activation [rows, width] a name. The graph stays as it is. */
  note(name: string, value: Value, width: number): void {
    this.#activations.set(name, { value, width, isNormed: false })
  }

  /** The same for what a norm has made. */
  noteNormed(name: string, value: Value, width: number): void {
    this.#activations.set(name, { value, width, isNormed: true })
  }

  /** Declares an initializer of the weights file, all of whose bytes a fill must write. */
  external(name: string, type: ElementType, dims: readonly number[]): Value {
    const value = this.#unique(name)
    const byteLength = dims.reduce((product, size) => product * size, elementTypes[type].bytes)
    const offset = Math.ceil(this.#weightBytes / weightAlignment) * weightAlignment
    this.#externals.push({ name: value, type, dims, offset, byteLength })
    this.#weightBytes = offset + byteLength
    return value
  }

  fill(name: string, run: WeightFill['run']): void {
    this.#fills.push({ name: `${this.#scope}/${name}`, run })
  }

  /** Adds an operator; undefined inputs are optional ones left out. @returns its outputs */
  node(opType: string, inputs: readonly (Value | undefined)[], options: NodeOptions = {}): Value[] {
    const name = this.#unique(options.name ?? opType)
    const count = options.outputs ?? 1
    const outputs = Array.from({ length: count }, (_, i) =>
      this.#claim(count === 1 ? `${name}:0` : `${name}:${i}`),
    ) as Value[]
    this.#nodes.push({
      name,
      opType,
      domain: options.domain ?? '',
      inputs: inputs.map((input) => input ?? ''),
      outputs,
      attributes: options.attributes ?? {},
    })
    return outputs
  }

  /**
   * A branch for `If`: what `build` adds runs only when the branch is taken. It may use every value made so far;
   * outside it, only the values it returns and the weights it declares are visible. A nested branch must not declare
   * weights: ONNX Runtime 1.30 would repack them for its products at every run instead of once.
   * @param outputs types of the branch's values
   */
  branch(name: string, outputs: readonly ValueType[], build: () => readonly Value[]): GraphSpec {
    const [nodes, initializers] = [this.#nodes, this.#initializers]
    this.#nodes = []
    this.#initializers = []
    try {
      const results = this.scope(name, () => build().map((value) => this.#madeHere(value)))
      return {
        name: `${this.#scope}/${name}`,
        nodes: this.#nodes,
        inputs: [],
        outputs: outputs.map((type, i) => ({ name: results[i]!, ...type })),
        initializers: this.#initializers,
      }
    } finally {
      this.#nodes = nodes
      this.#initializers = initializers
    }
  }

  /** A branch can only return what an operator inside it has made. */
  #madeHere(value: Value): Value {
    if (this.#nodes.some(({ outputs }) => outputs.includes(value))) return value
    return this.node('Identity', [value])[0]!
  }

  build(): BuiltGraph {
    return {
      spec: {
        name: this.#name,
        nodes: this.#nodes,
        inputs: this.#inputs,
        outputs: this.#outputs,
        initializers: [...this.#externals, ...this.#initializers],
      },
      fills: this.#fills,
      weightBytes: this.#weightBytes,
      activations: this.#activations,
    }
  }

  /** A tensor stored in the graph file itself. */
  #small(type: ElementType, dims: readonly number[], values: NodeJS.TypedArray): Value {
    const name = this.#unique(type)
    this.#initializers.push({ name, type, dims, raw: new Uint8Array(values.buffer) })
    return name
  }

  #unique(name: string): Value {
    const path = `${this.#scope}/${name}`
    let candidate = path
    for (let i = 1; this.#names.has(candidate); i++) candidate = `${path}_${i}`
    return this.#claim(candidate) as Value
  }

  #claim(name: string): string {
    if (this.#names.has(name)) throw new RangeError(`The graph already has a value named ${name}`)
    this.#names.add(name)
    return name
  }
}
