import type { TextConfig } from '../config/model-config.ts'
import type { Decoder } from './decoder-part.ts'
import type { LayerRange } from './decoder-graph.ts'
import { slotGrowthTokens } from './slot-memory.ts'
import { allOpen, stagedDecoder, type StagedDecoderSetup } from './staged-decoder.ts'
import type { StageGraph } from './stages/cut-graph.ts'
import { openLocalStage } from './stages/local-stage.ts'
import type { Stage } from './stages/stage.ts'
import { openThreadedStage } from './stages/threaded-stage.ts'

export interface CpuStagesSetup extends StagedDecoderSetup {
  /** Graph files. */
  readonly stages: readonly StageGraph<string>[]
  /** Cores they may use. */
  readonly threads: number
}

/** @throws {Error} when a graph cannot be opened */
export async function openCpuDecoder(setup: CpuStagesSetup): Promise<Decoder> {
  const { config } = setup
  const stages = await allOpen(openCpuStages(setup))
  const cacheBytesPerToken = cpuCacheBytes(config, { from: 0, to: config.num_hidden_layers })
  return stagedDecoder(stages, setup, {
    cacheBytesPerToken,
    slotGrowthTokens,
    cacheTokens: undefined,
  })
}

/**
 * Opened side by side: the one with the last layer, whose results are the largest, in this thread, and each of the others in
 * its own.
 */
export function openCpuStages({
  stages,
  config,
  threads,
  slots,
}: CpuStagesSetup): Promise<Stage>[] {
  return stages.map((stage) => {
    const isLast = stage.layers.to === config.num_hidden_layers
    return (isLast ? openLocalStage : openThreadedStage)({ ...stage, config, threads, slots })
  })
}

/** Bytes of cache per token of these layers, which are on the CPU. */
export function cpuCacheBytes(config: TextConfig, { from, to }: LayerRange): number {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  return (to - from) * width * Float32Array.BYTES_PER_ELEMENT
}
