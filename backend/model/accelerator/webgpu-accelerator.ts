import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { encodeModel, type ElementType, type GraphSpec } from '../../graph/onnx-proto.ts'
import type { Accelerator, Repeating, Tensors } from './accelerator.ts'
import { copiesGraph, copyGraph, rowGraph, zerosGraph } from './copy-graphs.ts'
import { tensorOf } from './tensor-bytes.ts'
import { namingNodes } from './unsupported-nodes.ts'
import { capturing, createSession, onDevice, onlyDeviceErrors } from './webgpu-session.ts'

export interface WebGpuOptions {
  /**
   * For measurements: `endProfiling` of the nth opened session, from 0, writes what each of its runs did into a file
   * whose name begins with this and `-n_`.
   */
  readonly profilePrefix?: string
  /**
   * `captured`: runs of graphs that are opened for it are recorded once (`canCapture` says whether they can be).
   * `same-memory`: those graphs are run like others, but in the same memory every time; for tests.
   */
  readonly repeats?: 'captured' | 'same-memory'
}

/**
 * The graphics card that ONNX Runtime's WebGPU provider chooses, through Vulkan, Direct3D 12 or Metal. All sessions share
 * one device and its memory. Nothing falls back to the CPU, node by node: such a graph cannot be opened.
 */
export function openWebGpuAccelerator(options: WebGpuOptions = {}): Accelerator {
  return new WebGpuAccelerator(options)
}

class WebGpuAccelerator implements Accelerator {
  readonly hasFloat16 = true
  /**
   * Released last: the process crashes when a session is released whose outputs are still in use.
   */
  readonly #makers = new Map<string, Promise<InferenceSession>>()
  readonly #sessions: InferenceSession[] = []
  readonly #tensors = new Set<Tensor>()
  readonly #options: WebGpuOptions

  constructor(options: WebGpuOptions) {
    this.#options = options
  }

  get repeating(): Repeating | undefined {
    const { repeats } = this.#options
    if (repeats === undefined) return undefined
    const providers = repeats === 'captured' ? capturing : {}
    return {
      open: (graph) => this.#open(graph, providers),
      copyInto: (targets, values) => this.#copyInto(targets, values),
      read: (tensors) => this.#read(tensors),
    }
  }

  open(graph: GraphSpec): Promise<InferenceSession> {
    return this.#open(graph, {})
  }

  async #open(
    graph: GraphSpec,
    options: InferenceSession.SessionOptions,
  ): Promise<InferenceSession> {
    // Given output tensors are written only in sessions without a preferred location of outputs.
    const strict = { session: { disable_cpu_ep_fallback: '1' } }
    const model = encodeModel(graph, '')
    const session = await createSession(model, {
      extra: strict,
      ...this.#profiling(),
      ...options,
    }).catch(async (error: unknown) => {
      throw await namingNodes(error, model)
    })
    this.#sessions.push(session)
    return session
  }

  async upload(type: ElementType, dims: readonly number[], bytes: Uint8Array): Promise<Tensor> {
    const maker = await this.#maker(`upload ${type} ${dims.length}`, () =>
      copyGraph(type, dims.length),
    )
    return this.#make(maker, { x: tensorOf(type, dims, bytes) }, `${type} [${dims.join()}]`)
  }

  async zeros(type: ElementType, dims: readonly number[]): Promise<Tensor> {
    const maker = await this.#maker(`zeros ${type} ${dims.length}`, () =>
      zerosGraph(type, dims.length),
    )
    const shape = new Tensor('int64', BigInt64Array.from(dims, BigInt), [dims.length])
    return this.#make(maker, { shape }, `${type} [${dims.join()}]`)
  }

  free(tensor: Tensor): void {
    this.#tensors.delete(tensor)
    tensor.dispose()
  }

  view(tensor: Tensor, dims: readonly number[]): Tensor {
    const dataType = tensor.type as Tensor.GpuBufferDataTypes
    return Tensor.fromGpuBuffer(tensor.gpuBuffer, { dataType, dims })
  }

  async readRow(matrix: Tensor, row: number): Promise<Float32Array> {
    const reader = await this.#maker('read row', rowGraph, {})
    const index = new Tensor('int64', BigInt64Array.of(BigInt(row)), [1])
    const { y } = await onlyDeviceErrors(reader.run({ x: matrix, row: index }))
    return y!.data as Float32Array
  }

  async run(session: InferenceSession, feeds: Tensors, updated: Tensors): Promise<Tensors> {
    const fetches: Record<string, Tensor | null> = {}
    for (const name of session.outputNames) fetches[name] = updated[name] ?? null
    const outputs = await onlyDeviceErrors(session.run(feeds, fetches))
    return { ...outputs, ...updated }
  }

  async #copyInto(targets: Tensors, values: Tensors): Promise<void> {
    const names = Object.keys(targets)
    const copier = await this.#copier(Object.values(targets), 'from host')
    const feeds = names.map((name, i) => [`x${i}`, values[name]!])
    const fetches = names.map((name, i) => [`y${i}`, targets[name]!])
    await onlyDeviceErrors(
      copier.run(Object.fromEntries(feeds) as Tensors, Object.fromEntries(fetches) as Tensors),
    )
  }

  async #read(tensors: Tensors): Promise<Tensors> {
    const names = Object.keys(tensors)
    const copier = await this.#copier(Object.values(tensors), 'to host')
    const feeds = names.map((name, i) => [`x${i}`, tensors[name]!])
    const outputs = await onlyDeviceErrors(copier.run(Object.fromEntries(feeds) as Tensors))
    return Object.fromEntries(names.map((name, i) => [name, outputs[`y${i}`]!]))
  }

  /** A session for copying tensors like these; each run names source and target. */
  #copier(tensors: readonly Tensor[], way: string): Promise<InferenceSession> {
    const kinds = tensors.map(({ type, dims }) => ({
      type: type as ElementType,
      rank: dims.length,
    }))
    const key = `copy ${way} ${kinds.map(({ type, rank }) => `${type} ${rank}`).join()}`
    return this.#maker(key, () => copiesGraph(kinds), {})
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) await session.release()
    for (const tensor of this.#tensors) tensor.dispose()
    for (const maker of this.#makers.values()) await (await maker).release()
  }

  #profiling(): InferenceSession.SessionOptions {
    const { profilePrefix } = this.#options
    if (profilePrefix === undefined) return {}
    return { enableProfiling: true, profileFilePrefix: `${profilePrefix}-${this.#sessions.length}` }
  }

  /** A session for making device tensors of one type and rank, or for reading one; opened once. */
  #maker(
    key: string,
    build: () => GraphSpec,
    options: InferenceSession.SessionOptions = onDevice,
  ): Promise<InferenceSession> {
    const known = this.#makers.get(key)
    if (known !== undefined) return known
    const opened = createSession(encodeModel(build(), ''), options)
    this.#makers.set(key, opened)
    return opened
  }

  /** @param what for the operator: for lack of memory, the provider says something else */
  async #make(maker: InferenceSession, feeds: Tensors, what: string): Promise<Tensor> {
    const failure = `The graphics card could not make a tensor ${what}, for lack of memory perhaps`
    const { y } = await onlyDeviceErrors(maker.run(feeds), failure)
    this.#tensors.add(y!)
    return y!
  }
}
