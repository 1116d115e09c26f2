import type { VisionConfig } from '../../backend/model/config/model-config.ts'
import type { Model } from '../../backend/model/model.ts'
import type { MachineLimits } from './machine.ts'
import { measure, type BenchRow } from './measure.ts'
import { percent } from './text.ts'

/** FLOPs (two per multiply-add) for one image of N patches: linear layers, and attention between all patches. */
function visionFlops(config: VisionConfig, patches: number, layers: number): number {
  const { hidden_size: hidden, intermediate_size: inner } = config
  const linears = 2 * patches * (4 * hidden ** 2 + 2 * hidden * inner)
  return layers * (linears + 4 * patches ** 2 * hidden)
}

/** One square image of side * side patches. */
export async function benchVision(
  model: Model,
  config: VisionConfig,
  machine: MachineLimits,
  side: number,
  times: number,
): Promise<BenchRow> {
  const patches = Uint8Array.from({ length: side ** 2 * 588 }, (_, i) => (i * 31) % 256)
  const image = { patches, gridHw: [side, side] as const }
  const { bestMs, medianMs } = await measure(times, () => model.beginImage(image).advance(Infinity))
  const gigaflops = visionFlops(config, side ** 2, config.num_hidden_layers) / bestMs / 1e6
  return {
    name: `vision, ${side ** 2} patches, ${config.num_hidden_layers} layers`,
    value: `${(bestMs / 1000).toFixed(2)} s (median ${(medianMs / 1000).toFixed(2)})`,
    ratio: `${gigaflops.toFixed(0)} GFLOP/s, ${percent(gigaflops / machine.gigaflops)} of float32`,
    data: { patches: side ** 2, bestMs, medianMs, gigaflops },
  }
}
