import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { ElementType, GraphSpec } from '../../graph/onnx-proto.ts'

/** Tensors by the names of a graph's inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>

/** A device with memory of its own, on which graphs in their device form run. */
export interface Accelerator {
  /** Whether it can keep float16 tensors. */
  readonly hasFloat16: boolean
  /** @throws {Error} naming the nodes for which the device has no implementation */
  open(graph: GraphSpec): Promise<InferenceSession>
  /** A copy in the device's memory. @param bytes begin at a multiple of the element's size */
  upload(type: ElementType, dims: readonly number[], bytes: Uint8Array): Promise<Tensor>
  /** A tensor of zeros in the device's memory. */
  zeros(type: ElementType, dims: readonly number[]): Promise<Tensor>
  /** Frees the memory of a tensor that `zeros` or `upload` made. */
  free(tensor: Tensor): void
  /** The same memory, or its beginning, in other dimensions. */
  view(tensor: Tensor, dims: readonly number[]): Tensor
  /** A copy of one row of a float32 matrix in the device's memory. @throws {DeviceError} as `run` */
  readRow(matrix: Tensor, row: number): Promise<Float32Array>
  /**
   * Runs a graph.
   * @param updated by output name: tensors of which the run makes a new version, which is also its input. It may be the
   * same memory, so the old version is lost
   * @returns the other outputs, readable, and the new versions
   * @throws {DeviceError} when the device failed, after which nothing on it can be relied on
   */
  run(session: InferenceSession, feeds: Tensors, updated: Tensors): Promise<Tensors>
  /** Undefined where a run has to be recorded anew every time. */
  readonly repeating: Repeating | undefined
  /** Frees everything; nothing may be running. */
  close(): Promise<void>
}

/** Recording a run once and repeating it, which costs the host next to nothing (`RepeatedGraph`). */
export interface Repeating {
  /**
   * As `Accelerator.open`. The first run with feeds of certain dimensions is recorded, and repeated by those that follow:
   * all of them must have the same memory.
   */
  open(graph: GraphSpec): Promise<InferenceSession>
  /** Overwrites tensors on the device with those of the same name on the host. @throws {DeviceError} as `run` */
  copyInto(targets: Tensors, values: Tensors): Promise<void>
  /** Copies of tensors on the device. @throws {DeviceError} as `run` */
  read(tensors: Tensors): Promise<Tensors>
}

/** What the model runs on is lost or out of memory: a device, its driver, or a thread. What it held is unusable. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError'
}
