import type { InferenceSession } from 'onnxruntime-node'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel } from '../../graph/onnx-proto.ts'
import { releaseMemory } from '../release-memory.ts'
import { createSession } from '../sessions.ts'

/** What the graph calls its weights; there is no file of that name. */
const weightsName = 'weights'

export interface SessionOptions {
  /** Cores it may use. */
  readonly threads: number
  readonly signal: AbortSignal
}

/**
 * Opens a graph whose weights are filled into memory, and frees everything afterwards. While it opens, the weights are held up to
 * three times: as they were filled, as ONNX Runtime copied them, and as its kernels packed them.
 */
export async function withSession<Result>(
  graph: BuiltGraph,
  { threads, signal }: SessionOptions,
  use: (session: InferenceSession) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted()
  const data = await filledWeights(graph)
  try {
    const model = encodeModel(graph.spec, weightsName)
    const externalData = [{ path: weightsName, data }]
    const session = await createSession(model, { threads, externalData })
    try {
      return await use(session)
    } finally {
      await session.release()
    }
  } finally {
    releaseMemory(data.buffer)
  }
}

async function filledWeights(graph: BuiltGraph): Promise<Uint8Array<ArrayBuffer>> {
  const offsets = new Map(
    graph.spec.initializers.flatMap((tensor) =>
      'offset' in tensor ? [[tensor.name, tensor.offset] as const] : [],
    ),
  )
  const data = new Uint8Array(graph.weightBytes)
  for (const { run } of graph.fills) {
    await run((tensor, at, bytes) => {
      data.set(bytes, offsets.get(tensor)! + at)
      return Promise.resolve()
    })
  }
  return data
}
