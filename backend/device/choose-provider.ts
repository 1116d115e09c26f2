import { ConfigError } from '../../shared/node/settings/environment.ts'
import { describeAdapter, gigabytes, type ProbeResult } from './adapter.ts'
import type { DeviceNeeds } from '../model/device-needs.ts'

/** What runs the decoder. `auto`: a graphics card on which the model fits, otherwise the CPU. */
export const providerSettings = ['auto', 'cpu', 'webgpu'] as const
export type ProviderSetting = (typeof providerSettings)[number]

/** What was chosen, and why. */
export interface ProviderChoice {
  readonly name: 'cpu' | 'webgpu'
  /** For the operator. */
  readonly reason: string
  /** How the card is used; undefined on the CPU. */
  readonly card: CardUse | undefined
  /** Layers of each stage on the CPU, if the operator says so. */
  readonly stageLayers?: readonly number[] | undefined
}

interface CardUse {
  /** Tokens for which the card's memory is set aside. */
  readonly cacheTokens: number
}

interface Demand extends DeviceNeeds {
  readonly slots: number
  /** The operator's number of cache tokens; 0 for the most that the slots can need, unset for a default. */
  readonly kvTokens: number | undefined
}

/** Tokens per slot that are plenty for a chat with pictures: 4,000 tokens of answer and as many of prompt. */
const usualTokensPerSlot = 8192

/** However little memory is left, short requests must be served. */
const leastTokens = 1024

/** Bytes for what is computed on the way and for whatever else draws on the card. */
const reservedBytes = 1e9

/** @param reason for the operator */
export function onCpu(reason: string): ProviderChoice {
  return { name: 'cpu', reason, card: undefined }
}

/**
 * @param probed what looking for a card came to
 * @param readDemand called only when there is a card
 * @param askedBy the setting that says so, as `NAME=value`
 * @throws {ConfigError} when a card was asked for and cannot be used: what is missing, and how to go on
 */
export async function chooseProvider(
  setting: Exclude<ProviderSetting, 'cpu'>,
  probed: ProbeResult,
  readDemand: () => Promise<Demand>,
  askedBy = `PROVIDER=${setting}`,
): Promise<ProviderChoice> {
  const found = await onCard(setting, probed, readDemand)
  if (typeof found !== 'string') return found
  if (setting === 'auto') return onCpu(found)
  const [name] = askedBy.split('=')
  throw new ConfigError(
    `${askedBy}: ${found}. Install the card's driver and give this program access to it (docs/gpu.md), ` +
      `or set ${name}=auto or ${name}=cpu.`,
  )
}

/** @returns the choice, or why the card is not used */
async function onCard(
  setting: 'auto' | 'webgpu',
  probed: ProbeResult,
  readDemand: () => Promise<Demand>,
): Promise<ProviderChoice | string> {
  if ('problem' in probed) return `no graphics card can be used: ${probed.problem}`
  const { adapter } = probed
  const named = describeAdapter(adapter)
  if (setting === 'auto' && adapter.kind === 'software') return `${named} is a software driver`
  if (setting === 'auto' && adapter.memory === undefined) {
    return `${named}: its free memory is unknown (PROVIDER=webgpu takes it all the same)`
  }
  const demand = await readDemand()
  const cacheTokens = tokensFor(demand, adapter.memory?.freeBytes ?? Infinity)
  if (cacheTokens === undefined) return `the model needs ${needOf(demand)}: ${named}`
  const reason = adapter.kind === 'software' ? `${named}, a software driver: slow` : named
  return { name: 'webgpu', reason, card: { cacheTokens } }
}

/** @returns undefined when the weights leave too little memory */
function tokensFor(demand: Demand, freeBytes: number): number | undefined {
  const { slots, contextTokens, kvTokens, weightBytes, cacheBytesPerToken } = demand
  const left = freeBytes - weightBytes - reservedBytes
  const affordable = Math.floor(left / cacheBytesPerToken)
  const most = slots * contextTokens
  const asked = kvTokens === 0 ? most : kvTokens
  const wanted = asked ?? slots * Math.min(contextTokens, usualTokensPerSlot)
  if (affordable < (asked ?? leastTokens)) return undefined
  return Math.min(wanted, affordable)
}

function needOf({ weightBytes, cacheBytesPerToken, kvTokens }: Demand): string {
  const cache = (kvTokens ?? leastTokens) * cacheBytesPerToken
  return `${gigabytes(weightBytes + cache + reservedBytes)} of a card's memory`
}
