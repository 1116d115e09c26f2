import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { deviceForm, externalsOf } from '../../graph/device-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { ReadWeight } from '../../graph/weight-reader.ts'
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
  readWeight: ReadWeight,
): Promise<Tensors> {
  const tensors: Record<string, Tensor> = {}
  for (const weight of externalsOf(graph.spec)) {
    const bytes = await readWeight(weight)
    tensors[weight.name] = await accelerator.upload(weight.type, weight.dims, bytes)
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
