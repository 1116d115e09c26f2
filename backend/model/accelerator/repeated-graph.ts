import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { ElementType } from '../../graph/onnx-proto.ts'
import type { Accelerator, Repeating, Tensors } from './accelerator.ts'
import type { OpenGraph } from './open-graph.ts'

/** A session for feeds of certain dimensions, and the memory that its runs share. */
interface Repeated {
  readonly session: InferenceSession
  /** What the host gives, on the device. */
  readonly inputs: Tensors
  /** What the host reads, on the device. */
  readonly outputs: Tensors
}

interface RepeatedGraphParts {
  readonly accelerator: Accelerator
  readonly repeating: Repeating
  readonly graph: OpenGraph
  /** Opens the graph again, in the form whose runs are repeated. */
  readonly open: () => Promise<InferenceSession>
}

/**
 * A graph for one row whose runs read and write the same memory every time, since a recorded run is repeated with the
 * memory it had. What the host gives is copied there before a run, and what the host reads is copied from there.
 */
export class RepeatedGraph {
  readonly #parts: RepeatedGraphParts
  /** By the dimensions of what the host gives, and the memory of everything but weights. */
  readonly #byKind = new Map<string, Promise<Repeated>>()
  readonly #buffers = new Map<unknown, number>()

  constructor(parts: RepeatedGraphParts) {
    this.#parts = parts
  }

  /**
   * @param feeds may have more than the graph reads
   * @param updated see `Accelerator.run`
   */
  async run(feeds: Tensors, updated: Tensors): Promise<Tensors> {
    const { accelerator, repeating, graph } = this.#parts
    const known = { ...feeds, ...graph.weights }
    const entries = graph.session.inputNames.map((name) => [name, known[name]!] as const)
    const given = Object.fromEntries(entries.filter(([, { location }]) => location === 'cpu'))
    const resident = Object.fromEntries(entries.filter(([name]) => !(name in given)))
    const moving = Object.entries(resident).filter(([name]) => !(name in graph.weights))
    const memory = [...moving.map(([, tensor]) => tensor), ...Object.values(updated)]
    const { session, inputs, outputs } = await this.#repeatedFor(given, updated, memory)
    await repeating.copyInto(inputs, given)
    await accelerator.run(session, { ...resident, ...inputs }, { ...updated, ...outputs })
    return { ...(await repeating.read(outputs)), ...updated }
  }

  /** @param memory on the device that may be other memory in another run */
  #repeatedFor(given: Tensors, updated: Tensors, memory: readonly Tensor[]): Promise<Repeated> {
    const dims = Object.entries(given).map(([name, tensor]) => `${name} ${tensor.dims.join()}`)
    const buffers = memory.map(({ gpuBuffer }) => this.#idOf(gpuBuffer))
    const kind = [...dims, ...buffers].join(';')
    const known = this.#byKind.get(kind)
    if (known !== undefined) return known
    const made = this.#make(given, updated)
    this.#byKind.set(kind, made)
    return made
  }

  async #make(given: Tensors, updated: Tensors): Promise<Repeated> {
    const { accelerator, open } = this.#parts
    const session = await open()
    const inputs: Record<string, Tensor> = {}
    for (const [name, { type, dims }] of Object.entries(given)) {
      inputs[name] = await accelerator.zeros(type as ElementType, dims)
    }
    const outputs: Record<string, Tensor> = {}
    for (const [index, name] of session.outputNames.entries()) {
      const metadata = session.outputMetadata[index]!
      if (name in updated || !metadata.isTensor) continue
      // What is symbolic is the number of rows.
      const dims = metadata.shape.map((size) => (typeof size === 'number' ? size : 1))
      outputs[name] = await accelerator.zeros(metadata.type as ElementType, dims)
    }
    return { session, inputs, outputs }
  }

  #idOf(buffer: unknown): number {
    const id = this.#buffers.get(buffer) ?? this.#buffers.size
    this.#buffers.set(buffer, id)
    return id
  }
}
