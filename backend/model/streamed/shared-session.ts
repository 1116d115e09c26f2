import { Tensor, type InferenceSession } from 'onnxruntime-node'
import { externalsOf, withWeightsAsInputs } from '../../graph/device-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel, valueCount, type GraphSpec } from '../../graph/onnx-proto.ts'
import { withMaxima } from '../../graph/with-maxima.ts'
import { releaseMemory } from '../release-memory.ts'
import { createSession, type OpenGraph } from '../sessions.ts'
import { fillWeights, watched, type SessionOptions } from './with-session.ts'

/**
 * Runs graphs whose weights are float32, many of which differ in nothing but these, such as the experts of a layer. Weights are
 * inputs of a session that such graphs share, and are read into the same memory for each. A session for each would copy its weights
 * and pack them into new memory, which takes several times as long as a product with few rows.
 */
export class SharedSession {
  readonly #options: SessionOptions
  #open: { readonly model: Buffer; readonly session: InferenceSession } | undefined
  #memory = new ArrayBuffer(0)

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** Reads the weights of a graph, which `use` runs; one graph at a time. */
  async run<Result>(
    graph: BuiltGraph,
    use: (session: OpenGraph) => Promise<Result>,
  ): Promise<Result> {
    const { signal, onMaxima } = this.#options
    signal.throwIfAborted()
    const shared = withoutNames(graph)
    const { spec } = onMaxima === undefined ? shared : withMaxima(shared)
    const session = await this.#sessionOf(spec)
    const weights = await this.#read(graph)
    const own = spec.outputs.map(({ name }) => name)
    const run = (feeds: InferenceSession.FeedsType, fetches: readonly string[] = own) =>
      session.run({ ...weights, ...feeds }, fetches)
    // Pieces have no options.
    const fed: OpenGraph = { run: run as InferenceSession['run'] }
    if (onMaxima === undefined) return use(fed)
    const names = [...graph.activations.keys()]
    return use(watched(fed, shared, (index, maxima) => onMaxima(names[Number(index)]!, maxima)))
  }

  async #sessionOf(spec: GraphSpec): Promise<InferenceSession> {
    const model = Buffer.from(encodeModel(spec, ''))
    if (this.#open !== undefined && this.#open.model.equals(model)) return this.#open.session
    await this.#open?.session.release()
    this.#open = undefined
    const session = await createSession(model, { threads: this.#options.threads })
    this.#open = { model, session }
    return session
  }

  async #read(graph: BuiltGraph): Promise<Record<string, Tensor>> {
    if (this.#memory.byteLength < graph.weightBytes) {
      releaseMemory(this.#memory)
      this.#memory = new ArrayBuffer(graph.weightBytes)
    }
    await fillWeights(graph, new Uint8Array(this.#memory))
    return Object.fromEntries(
      externalsOf(graph.spec).map(({ name, dims, offset }) => {
        const values = new Float32Array(this.#memory, offset, valueCount(dims))
        return [name, new Tensor('float32', values, dims)]
      }),
    )
  }

  /** Frees all memory. The next graph takes new. */
  async close(): Promise<void> {
    await this.#open?.session.release()
    this.#open = undefined
    releaseMemory(this.#memory)
    this.#memory = new ArrayBuffer(0)
  }
}

/** The graph with its weights as inputs, and without the names that no other graph has: its own, and those of activations. */
function withoutNames({ spec, activations, ...graph }: BuiltGraph): BuiltGraph {
  const numbered = [...activations.values()].map((each, index) => [String(index), each] as const)
  return {
    ...graph,
    spec: { ...withWeightsAsInputs(spec), name: 'shared' },
    activations: new Map(numbered),
  }
}
