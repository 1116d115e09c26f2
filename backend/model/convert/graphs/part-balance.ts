import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { ModelConfig } from '../../config/model-config.ts'
import { channelLinks, type ChannelLink } from '../../equalize/channel-links.ts'
import type { ChannelMaxima } from '../../equalize/channel-maxima.ts'
import { equalizedCheckpoint } from '../../equalize/equalized-checkpoint.ts'
import { findOutliers, type Equalization } from '../../equalize/find-outliers.ts'
import { fileNames } from './build-graphs.ts'
import { partOf } from '../tasks/conversion-task.ts'
import type { FormChoice } from './weight-forms.ts'

interface BalanceOptions {
  /** Activations are not rounded on a device, and its graphs balance nothing after a GELU. */
  readonly layout?: FormChoice['layout']
  /** What was measured; channels of other links are estimated. Consulted when a part is balanced. */
  readonly maxima?: ChannelMaxima
}

/** A checkpoint whose channels are balanced one part of the model after the other. */
export class PartBalance {
  /** Balanced for the parts that were `set`; a part's tensors must not be read before that. */
  readonly checkpoint: Checkpoint
  readonly #original: Checkpoint
  readonly #maxima: ChannelMaxima
  readonly #links: ReadonlyMap<string, ChannelLink[]>
  readonly #shifts: Record<string, Equalization[string]> = {}

  constructor(
    checkpoint: Checkpoint,
    config: ModelConfig,
    { layout = 'cpu', maxima = new Map() }: BalanceOptions = {},
  ) {
    this.#original = checkpoint
    this.#maxima = maxima
    const links = channelLinks(config).filter(
      ({ maker }) => layout === 'cpu' || maker.kind !== 'gelu',
    )
    this.#links = Map.groupBy(links, ({ name }) => partOf(name, fileNames.weights.decoder))
    this.checkpoint = equalizedCheckpoint(checkpoint, config, this.#shifts)
  }

  /** Reads all weights of a part that can be balanced. */
  find(part: string, signal: AbortSignal): Promise<Equalization> {
    return findOutliers(this.#links.get(part) ?? [], this.#original, signal, this.#maxima)
  }

  /** Of all parts that were `set` so far. */
  get shifts(): Equalization {
    return this.#shifts
  }

  set(shifts: Equalization): void {
    Object.assign(this.#shifts, shifts)
  }
}
