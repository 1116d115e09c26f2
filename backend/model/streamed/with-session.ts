import type { InferenceSession } from 'onnxruntime-node'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel } from '../../graph/onnx-proto.ts'
import { withMaxima } from '../../graph/with-maxima.ts'
import { releaseMemory } from '../release-memory.ts'
import { createSession, type OpenGraph } from '../sessions.ts'

/** Name of the weights file in the graph; there is no such file. */
const weightsName = 'weights'

export interface SessionOptions {
  /** Cores it may use. */
  readonly threads: number
  readonly signal: AbortSignal
  /** Sees the largest magnitude of each activation of every run. */
  readonly onMaxima?: ((name: string, maxima: Float32Array) => void) | undefined
}

/**
 * Opens a graph whose weights are filled into memory, and frees everything afterwards. While it opens, the weights are held up to
 * three times: as they were filled, as ONNX Runtime copied them, and as its kernels packed them.
 */
export async function withSession<Result>(
  graph: BuiltGraph,
  { threads, signal, onMaxima }: SessionOptions,
  use: (session: OpenGraph) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted()
  const data = new Uint8Array(graph.weightBytes)
  try {
    await fillWeights(graph, data)
    const { spec } = onMaxima === undefined ? graph : withMaxima(graph)
    const model = encodeModel(spec, weightsName)
    const externalData = [{ path: weightsName, data }]
    const session = await createSession(model, { threads, externalData })
    try {
      return await use(onMaxima === undefined ? session : watched(session, graph, onMaxima))
    } finally {
      await session.release()
    }
  } finally {
    releaseMemory(data.buffer)
  }
}

/** Reads the weights of a graph into memory that holds at least as many bytes. */
export async function fillWeights(graph: BuiltGraph, data: Uint8Array): Promise<void> {
  const offsets = new Map(
    graph.spec.initializers.flatMap((tensor) =>
      'offset' in tensor ? [[tensor.name, tensor.offset] as const] : [],
    ),
  )
  const write = (tensor: string, at: number, bytes: Uint8Array) => {
    data.set(bytes, offsets.get(tensor)! + at)
    return Promise.resolve()
  }
  for (const { name, run } of graph.fills) {
    try {
      await run(write)
    } catch (cause) {
      const { message } = cause as Error
      throw new Error(`Cannot read ${graph.spec.name}${name}: ${message}`, { cause })
    }
  }
}

/** Runs a graph `withMaxima`, and passes these on. */
export function watched(
  session: OpenGraph,
  { activations, spec }: BuiltGraph,
  onMaxima: NonNullable<SessionOptions['onMaxima']>,
): OpenGraph {
  const own = spec.outputs.map(({ name }) => name)
  const run = async (feeds: InferenceSession.FeedsType, fetches: readonly string[] = own) => {
    const outputs = await session.run(feeds, [...fetches, ...activations.keys()])
    for (const name of activations.keys()) onMaxima(name, outputs[name]!.data as Float32Array)
    return outputs
  }
  // Pieces name the outputs they want, or get all; they have no options.
  return { run: run as InferenceSession['run'] }
}
