import { noFeature } from '../../accelerator/feature-memory.ts'
import type { SlotId } from '../../model.ts'
import {
  applyChange,
  type CacheChange,
  type Stage,
  type StageInput,
  type StageOutput,
  type StageStep,
} from '../stages/stage.ts'
import type { DeviceLayers, DeviceRow } from './device-layers.ts'

/** The layers on a device as the decoder's last stage, after those on the CPU. */
export class DeviceStage implements Stage {
  readonly #layers: Pick<DeviceLayers, 'cache' | 'step'>
  readonly #hiddenSize: number
  /** Slots with the tokens they had before the last run, until that is committed. */
  #uncommitted: readonly { readonly slot: SlotId; readonly past: number }[] = []

  constructor(layers: Pick<DeviceLayers, 'cache' | 'step'>, hiddenSize: number) {
    this.#layers = layers
    this.#hiddenSize = hiddenSize
  }

  change(change: CacheChange): void {
    this.#forget()
    applyChange(this.#layers.cache, change)
  }

  /** @throws {RangeError} when the device's cache has no room @throws {DeviceError} when the device failed */
  async run(step: StageStep): Promise<StageOutput> {
    this.#forget()
    const rows = rowsOf(step, this.#hiddenSize)
    const before = rows.map(({ slot }) => ({ slot, past: this.#layers.cache.length(slot) }))
    const next = await this.#layers.step(rows)
    this.#uncommitted = before
    return { next }
  }

  commit(): void {
    this.#uncommitted = []
  }

  /** What is on the accelerator is freed with it. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  #forget(): void {
    for (const { slot, past } of this.#uncommitted) this.#layers.cache.truncate(slot, past)
    this.#uncommitted = []
  }
}

/** The tokens of all lanes, one lane after the other. Those that are sampled are the last of their lane. */
function rowsOf({ lanes, sampleRows, input }: StageStep, hidden: number): DeviceRow[] {
  const stream = streamOf(input)
  let next = 0
  return lanes
    .filter((lane) => lane !== undefined)
    .map(({ slot, tokens }) => {
      const [start, end] = [next, (next += tokens)]
      return {
        slot,
        tokens,
        stream: stream.subarray(start * hidden, end * hidden),
        featureRows: new Int32Array(tokens).fill(noFeature),
        wanted: sampleRows.filter((token) => token >= start && token < end).length,
      }
    })
}

/**
 * [N, hidden]: both parts of what a stage on the CPU leaves, added up, so that half as much is sent to the device, whose rounding
 * differs anyway.
 */
function streamOf(input: StageInput): Float32Array {
  if ('embeddings' in input) throw new RangeError('a device’s stage begins after the first layer')
  const { stream, branch } = input
  return stream.map((value, i) => value + branch[i]!)
}
