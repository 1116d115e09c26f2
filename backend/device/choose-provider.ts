import { ConfigError } from '../../shared/node/settings/environment.ts'
import { describeAdapter, gigabytes, type ProbeResult } from './adapter.ts'
import { leastBytes, mostOnCard, shareOf, type CardDemand, type LayerPlan } from './place-layers.ts'

/** What runs the decoder. `auto`: a graphics card for the layers that fit there, otherwise the CPU. */
export const providerSettings = ['auto', 'cpu', 'webgpu'] as const
export type ProviderSetting = (typeof providerSettings)[number]

/** What was chosen, and why. */
export interface ProviderChoice {
  /** `webgpu` when a card has the last layers or all of them. */
  readonly name: 'cpu' | 'webgpu'
  /** For the operator. */
  readonly reason: string
  /** The decoder's layers by place; the CPU's come first. */
  readonly layers: LayersByPlace
  /** How the card is used; undefined on the CPU. */
  readonly card: CardUse | undefined
  /** Layers of each stage on the CPU, if the operator says so. */
  readonly stageLayers?: readonly number[] | undefined
}

export interface LayersByPlace {
  readonly cpu: number
  readonly gpu: number
}

interface CardUse {
  /** Tokens for which the card's memory is set aside. */
  readonly cacheTokens: number
  /** Layers that stay on the CPU. */
  readonly cpuLayers: number
}

/** What the settings ask of a card. */
interface CardRequest {
  readonly setting: Exclude<ProviderSetting, 'cpu'>
  /** The setting that says so, as `NAME=value`. */
  readonly askedBy: string
  readonly plan: LayerPlan
}

/** @param reason for the operator @param layers of the decoder */
export function onCpu(reason: string, layers: number): ProviderChoice {
  return { name: 'cpu', reason, layers: { cpu: layers, gpu: 0 }, card: undefined }
}

/**
 * @param probed the result of looking for a card
 * @param readDemand called only when there is a card
 * @throws {ConfigError} when a card was asked for and cannot be used; it says what is missing, and what to do
 */
export async function chooseProvider(
  request: CardRequest,
  probed: ProbeResult,
  readDemand: () => Promise<CardDemand>,
): Promise<ProviderChoice> {
  const found = await onCard(request, probed, readDemand)
  if (!('problem' in found)) return found
  const { setting, askedBy, plan } = request
  if (setting === 'auto') return onCpu(found.problem, plan.total)
  const [name] = askedBy.split('=')
  throw new ConfigError(
    `${askedBy}: ${found.problem}. ${found.remedy}, or set ${name}=auto or ${name}=cpu.`,
  )
}

/** Why a card is not used, and what would change that: for the operator. */
interface Refusal {
  readonly problem: string
  readonly remedy: string
}

const accessRemedy = "Install the card's driver and give this program access to it (docs/gpu.md)"

/** @returns the choice, or why the card is not used */
async function onCard(
  { setting, plan }: CardRequest,
  probed: ProbeResult,
  readDemand: () => Promise<CardDemand>,
): Promise<ProviderChoice | Refusal> {
  const inaccessible = (problem: string) => ({ problem, remedy: accessRemedy })
  if ('problem' in probed) return inaccessible(`no graphics card can be used: ${probed.problem}`)
  const { adapter } = probed
  const named = describeAdapter(adapter)
  if (setting === 'auto' && adapter.kind === 'software') {
    return inaccessible(`${named} is a software driver`)
  }
  if (setting === 'auto' && adapter.memory === undefined) {
    const problem = `${named}: its free memory is unknown (PROVIDER=webgpu uses it anyway)`
    return inaccessible(problem)
  }
  const demand = await readDemand()
  const freeBytes = adapter.memory?.freeBytes ?? Infinity
  const { total, cardLayers, stageLayers } = plan
  const share =
    cardLayers === undefined
      ? mostOnCard(demand, freeBytes)
      : shareOf(demand, cardLayers, freeBytes)
  if (share === undefined) {
    const problem = `${needOf(demand, cardLayers ?? 1)} of a card's memory: ${named}`
    return { problem, remedy: memoryRemedy(demand, plan, freeBytes) }
  }
  const layers = { cpu: total - share.layers, gpu: share.layers }
  return {
    name: 'webgpu',
    reason: [
      adapter.kind === 'software' ? `${named}, a software driver: slow` : named,
      ...divisionOf(layers, plan),
    ].join('; '),
    layers,
    card: { cacheTokens: share.cacheTokens, cpuLayers: layers.cpu },
    stageLayers,
  }
}

/** In words, if there is one. */
function divisionOf({ cpu, gpu }: LayersByPlace, { total, cardLayers }: LayerPlan): string[] {
  if (cpu === 0) return []
  const why = cardLayers === undefined ? 'as many as fit' : 'as DEVICE_MAP says'
  const first = cpu === 1 ? 'the first' : `the first ${cpu}`
  return [`${gpu} of ${total} layers there, ${why}, and ${first} on the CPU`]
}

/** What makes room for the layers that are to be on the card. */
function memoryRemedy(
  demand: CardDemand,
  { total, cardLayers = 1 }: LayerPlan,
  freeBytes: number,
): string {
  const fewer = cardLayers > 1 ? mostOnCard(demand, freeBytes)?.layers : undefined
  const lowered = demand.kvTokens === undefined ? [] : ['lower KV_CACHE_TOKENS']
  const map = fewer === undefined ? [] : [`set DEVICE_MAP=cpu:${total - fewer},gpu:${fewer}`]
  return ["Free some of the card's memory", ...lowered, ...map].join(', ')
}

function needOf(demand: CardDemand, layers: number): string {
  const bytes = gigabytes(leastBytes(demand, layers))
  if (layers === demand.layerBytes.length) return `the model needs ${bytes}`
  return `${layers === 1 ? 'its last layer needs' : `its last ${layers} layers need`} ${bytes}`
}
