import { open, type FileHandle } from 'node:fs/promises'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { deviceForm, externalsOf } from '../../graph/device-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { ExternalInitializer } from '../../graph/onnx-proto.ts'
import type { Accelerator, Tensors } from './accelerator.ts'

/** A device graph, opened, with its weights on the device. */
export interface OpenGraph {
  readonly session: InferenceSession
  readonly weights: Tensors
}

/**
 * Uploads the weights of a graph, one tensor at a time, so that a host with little memory can load a large device.
 * @returns by their names in the graph
 * @throws {DeviceError} when the device has too little memory
 */
export async function uploadWeights(
  accelerator: Accelerator,
  graph: BuiltGraph,
  weightsFile: string,
): Promise<Tensors> {
  const tensors: Record<string, Tensor> = {}
  const file = await open(weightsFile, 'r')
  try {
    for (const weight of externalsOf(graph.spec)) {
      const bytes = await readWeight(file, weight)
      tensors[weight.name] = await accelerator.upload(weight.type, weight.dims, bytes)
    }
  } finally {
    await file.close()
  }
  return tensors
}

/** Opens a graph over weights that were uploaded, which may have other dimensions there. */
export async function openGraph(
  accelerator: Accelerator,
  graph: BuiltGraph,
  uploaded: Tensors,
): Promise<OpenGraph> {
  return {
    session: await openSession(accelerator, graph),
    weights: Object.fromEntries(
      externalsOf(graph.spec).map(({ name, dims }) => [
        name,
        accelerator.view(uploaded[name]!, dims),
      ]),
    ),
  }
}

/** Opens a graph whose weights are inputs. */
export function openSession(
  accelerator: Accelerator,
  { spec }: BuiltGraph,
): Promise<InferenceSession> {
  return accelerator.open(deviceForm(spec))
}

async function readWeight(
  file: FileHandle,
  { name, offset, byteLength }: ExternalInitializer,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength)
  for (let done = 0; done < byteLength;) {
    const { bytesRead } = await file.read(bytes, done, byteLength - done, offset + done)
    if (bytesRead === 0) throw new RangeError(`the weights file ends inside ${name}`)
    done += bytesRead
  }
  return bytes
}

/**
 * Runs a graph.
 * @param feeds may have more than the graph reads
 * @param updated see `Accelerator.run`
 */
export function runGraph(
  accelerator: Accelerator,
  { session, weights }: OpenGraph,
  feeds: Tensors,
  updated: Tensors,
): Promise<Tensors> {
  const known = { ...feeds, ...weights }
  // A device tensor that no operator reads would be copied to the host at every run.
  const inputs = session.inputNames.map((name) => [name, known[name]!])
  return accelerator.run(session, Object.fromEntries(inputs) as Tensors, updated)
}
