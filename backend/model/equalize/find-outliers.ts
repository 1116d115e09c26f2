import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { readAll, sliceRows, transposed } from '../../graph/weight-source.ts'
import { balance, type Shifts } from './balance.ts'
import type { ChannelLink, Taker } from './channel-links.ts'
import { combineMagnitudes } from './combine-magnitudes.ts'
import type { ChannelMaxima } from './channel-maxima.ts'
import { scanWeight, type WeightScan } from './scan-weight.ts'

/** Link -> its channels that are moved. Links without any are left out. */
export type Equalization = Readonly<Record<string, Shifts>>

/**
 * Finds the channels that 8 bits would spoil, from the weights alone: norms show how large the channels are that they
 * produce, and products how large theirs are given their inputs. Each weight is read once, a piece at a time.
 * @param links each after the one that its producer's inputs come from
 */
export async function findOutliers(
  links: readonly ChannelLink[],
  checkpoint: Checkpoint,
  signal: AbortSignal,
  maxima: ChannelMaxima = new Map(),
): Promise<Equalization> {
  const found: Record<string, Shifts> = {}
  const finder = new Finder(checkpoint, signal, maxima)
  for (const link of links) {
    const shifts = await finder.shiftsOf(link)
    if (Object.keys(shifts).length > 0) found[link.name] = shifts
  }
  return found
}

function isScanned({ inFloat }: Taker): boolean {
  return inFloat !== true
}

class Finder {
  readonly #checkpoint: Checkpoint
  readonly #signal: AbortSignal
  readonly #maxima: ChannelMaxima
  /** Scans of consumers, from which later links are derived. */
  readonly #scans = new Map<string, WeightScan>()

  constructor(checkpoint: Checkpoint, signal: AbortSignal, maxima: ChannelMaxima) {
    this.#checkpoint = checkpoint
    this.#signal = signal
    this.#maxima = maxima
  }

  async shiftsOf(link: ChannelLink): Promise<Shifts> {
    const channels = await this.#channelsOf(link)
    const weights = new Float64Array(link.channels)
    for (const taker of link.takers.filter(isScanned)) {
      const { columns } = await this.#scan(taker, channels)
      columns.forEach((magnitude, c) => {
        weights[c] = Math.max(weights[c]!, magnitude)
      })
    }
    // A norm's weight says nothing about channels that are large before the norm.
    return balance(channels, weights, link.maker.kind === 'norm' && !this.#maxima.has(link.name))
  }

  async #channelsOf(link: ChannelLink): Promise<Float64Array> {
    const measured = this.#maxima.get(link.name)
    if (measured === undefined) return this.#magnitudes(link)
    const isGated = link.maker.kind === 'product' && link.maker.gate !== undefined
    if (!isGated) return Float64Array.from(measured)
    return combineMagnitudes(await this.#magnitudes(link), measured)
  }

  /**
   * Root mean square of each channel, assuming that normed values have 1 and the inputs of products are independent.
   */
  async #magnitudes({ channels, maker }: ChannelLink): Promise<Float64Array> {
    const bias = maker.bias === undefined ? undefined : await this.#vector(maker.bias)
    if (maker.kind === 'norm') {
      const weight = await this.#vector(maker.weight)
      return Float64Array.from(weight, (value, c) => Math.hypot(value, bias?.[c] ?? 0))
    }
    const outputs = this.#scanned(maker.weight).outputs
    if (maker.kind === 'gelu') {
      // What is far below zero becomes zero.
      return outputs.map((output, channel) => Math.hypot(output, Math.max(0, bias![channel]!)))
    }
    const gate = maker.gate === undefined ? undefined : this.#scanned(maker.gate).outputs
    return Float64Array.from({ length: channels }, (_, channel) => {
      const row = maker.rowOf(channel)
      return Math.hypot(outputs[row]!, bias?.[row] ?? 0) * (gate?.[row] ?? 1)
    })
  }

  #vector(name: string): Promise<Float32Array> {
    return readAll(this.#checkpoint.tensor(name))
  }

  #scanned(weight: string): WeightScan {
    const scan = this.#scans.get(weight)
    if (scan === undefined) throw new RangeError(`${weight} makes channels before it takes any`)
    return scan
  }

  async #scan({ weight, along }: Taker, channels: Float64Array): Promise<WeightScan> {
    const tensor = this.#checkpoint.tensor(weight)
    if (along !== 'columns') {
      const turned = transposed(sliceRows(tensor, along.firstRow, channels.length))
      return scanWeight(turned, channels, this.#signal)
    }
    const scan = await scanWeight(tensor, channels, this.#signal)
    this.#scans.set(weight, scan)
    return scan
  }
}
