import type { Tensor } from 'onnxruntime-node'
import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import { runGraph, type OpenGraph } from '../../accelerator/open-graph.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { deviceVisionNames as names } from './device-vision-names.ts'

/** What each output is the next version of. */
const nextVersions: readonly (readonly [string, string])[] = [
  [names.nextHidden, names.hidden],
  [names.nextQueries, names.queries],
  [names.nextKeys, names.projectedKeys],
  [names.nextValues, names.projectedValues],
]

/** State of the patches of one image between two parts of the vision tower, on the device. */
export class DevicePatchState {
  readonly #accelerator: Accelerator
  readonly #dims: readonly [number, number]
  /** By input name. Memory is set aside when the first part runs. */
  #tensors: Readonly<Record<string, Tensor>> = {}

  constructor(accelerator: Accelerator, patches: number, { hidden_size: width }: VisionConfig) {
    this.#accelerator = accelerator
    this.#dims = [patches, width]
  }

  async open(): Promise<void> {
    const tensors: Record<string, Tensor> = {}
    this.#tensors = tensors
    const { hidden, queries, keys, values, projectedKeys, projectedValues } = names
    for (const name of [hidden, queries, keys, values, projectedKeys, projectedValues]) {
      tensors[name] = await this.#accelerator.zeros('float32', this.#dims)
    }
  }

  /** All patches have passed a block: the new projections are what they attend to next. */
  nextBlock(): void {
    const { keys, values, projectedKeys, projectedValues } = names
    const from = this.#tensors
    this.#tensors = {
      ...from,
      [keys]: from[projectedKeys]!,
      [values]: from[projectedValues]!,
      [projectedKeys]: from[keys]!,
      [projectedValues]: from[values]!,
    }
  }

  /**
   * Runs a part of the tower, and keeps its results for the patches. @param others further tensors of which it makes
   * new versions @returns its outputs
   */
  async run(graph: OpenGraph, feeds: Tensors, others: Tensors = {}): Promise<Tensors> {
    const made = nextVersions.filter(([output]) => graph.session.outputNames.includes(output))
    const updated = made.map(([output, input]) => [output, this.#tensors[input]!])
    const outputs = await runGraph(
      this.#accelerator,
      graph,
      { ...this.#tensors, ...feeds },
      { ...(Object.fromEntries(updated) as Tensors), ...others },
    )
    const next = made.map(([output, input]) => [input, outputs[output]!])
    this.#tensors = { ...this.#tensors, ...(Object.fromEntries(next) as Tensors) }
    return outputs
  }

  /** Frees the memory; nothing may be called afterwards. */
  release(): void {
    for (const tensor of Object.values(this.#tensors)) this.#accelerator.free(tensor)
    this.#tensors = {}
  }
}
