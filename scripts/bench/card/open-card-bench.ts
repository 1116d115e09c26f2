import { openWebGpuAccelerator } from '../../../backend/model/accelerator/webgpu-accelerator.ts'
import type { ModelConfig } from '../../../backend/model/config/model-config.ts'
import { pieceTokens } from '../../../backend/model/deepseek/device/run-plan.ts'
import type { BenchRow } from '../measure.ts'
import { percent, type TextBench } from '../text.ts'
import { cardSizes, openCardMachine, softwareSizes } from './card-machine.ts'
import { openCard, type OpenCard } from './open-card.ts'
import { usedMemory, type UsedMemory } from './used-memory.ts'

/**
 * Tokens of the cache for each sequence: more than the longest context that all of them have in a row of the table. With 32 sequences and a prompt of
 * 1,024 tokens, a layer's cache has 63 MB, of buffers of 67; the next larger ones have 134 (buffer-sizes.ts).
 */
const tokensPerSlot = 1664

interface CardBenchOptions {
  readonly config: ModelConfig
  readonly slots: number
  /** Cached tokens, and tokens of prompts, that are measured with one sequence. */
  readonly contexts: readonly number[]
  readonly prompts: readonly number[]
  readonly shareLayers: boolean
  /** Whether the driver computes on the CPU, in which case less is measured. */
  readonly isSoftware: boolean
}

/** Memory in use before the weights were made, and with weights and cache. */
interface MemoryUse {
  readonly kind: UsedMemory['kind']
  readonly beforeBytes: number
  readonly bytes: number
}

/** A model on a card, and what the card can do. */
export interface CardBench extends TextBench {
  readonly card: OpenCard
  readonly slots: number
  readonly isSoftware: boolean
  /** 10^9 operations per second with 8-bit weights. */
  readonly eightBitGigaflops: number
  readonly loadSeconds: number
  readonly cacheTokens: number
  readonly memory: MemoryUse
  close(): Promise<void>
}

/** @throws {DeviceError} when the card has too little memory */
export async function openCardBench(options: CardBenchOptions): Promise<CardBench> {
  const { slots, isSoftware } = options
  const limits = await openCardMachine(
    openWebGpuAccelerator(),
    isSoftware ? softwareSizes : cardSizes,
  )
  const machine = await limits.measure()
  const eightBitGigaflops = await limits.eightBitGigaflops()
  const longest = Math.max(...options.contexts) + Math.max(...options.prompts)
  const cacheTokens = slots * tokensPerSlot + longest
  const before = await usedMemory(isSoftware)
  const start = performance.now()
  const card = await openCard({ ...options, cacheTokens, sharesLayers: options.shareLayers })
  const loadSeconds = (performance.now() - start) / 1000
  const { kind, bytes } = await usedMemory(isSoftware)
  return {
    card,
    model: card.model,
    config: card.decoder.config,
    weightBytes: (sequences) => card.decoder.stepBytes(sequences),
    machine,
    limits,
    slots,
    isSoftware,
    eightBitGigaflops,
    loadSeconds,
    cacheTokens,
    memory: { kind, bytes, beforeBytes: before.bytes },
    async close() {
      await card.model.close()
      await limits.close()
    },
  }
}

export function machineRows({ machine, eightBitGigaflops }: CardBench): BenchRow[] {
  const { gigabytesPerSecond, gigaflops } = machine
  return [
    {
      name: 'card: copying, reading and writing counted',
      value: `${gigabytesPerSecond.toPrecision(3)} GB/s`,
      ratio: '',
      data: { gigabytesPerSecond },
    },
    {
      name: 'card: float32 product',
      value: `${gigaflops.toPrecision(3)} GFLOP/s`,
      ratio: '',
      data: { gigaflops },
    },
    {
      name: `card: product of ${pieceTokens} rows with 8-bit weights`,
      value: `${eightBitGigaflops.toPrecision(3)} GFLOP/s`,
      ratio: `${percent(eightBitGigaflops / gigaflops)} of float32`,
      data: { eightBitGigaflops },
    },
  ]
}

/** How fast weights reach the card, and how much memory they and the cache take there. */
export function loadRows({ card, loadSeconds, cacheTokens, memory }: CardBench): BenchRow[] {
  const { weightBytes } = card.decoder
  const { kind, bytes, beforeBytes } = memory
  return [
    {
      name: 'weights made on the host and uploaded',
      value: `${loadSeconds.toFixed(1)} s, ${(weightBytes / 1e9).toFixed(2)} GB`,
      ratio: `${(weightBytes / 1e9 / loadSeconds).toFixed(2)} GB/s`,
      data: { loadSeconds, weightBytes },
    },
    {
      name: `${kind} with them and a cache of ${cacheTokens} tokens`,
      value: `${(bytes / 1e9).toFixed(2)} GB`,
      ratio: `${(beforeBytes / 1e9).toFixed(2)} GB before`,
      data: { cacheTokens, bytes, beforeBytes },
    },
  ]
}
