import { bufferBytes, largestTensor } from '../model/accelerator/buffer-sizes.ts'
import type { DeviceNeeds } from '../model/device-needs.ts'

/** What the settings say about the layers of a model. */
export interface LayerPlan {
  /** Layers of the model. */
  readonly total: number
  /** Layers of each stage on the CPU; undefined unless the operator sets them. */
  readonly stageLayers: readonly number[] | undefined
  /** Layers on the card; undefined where its memory decides. */
  readonly cardLayers: number | undefined
}

/** What has to fit on a card. */
export interface CardDemand extends DeviceNeeds {
  /** The most sequences in one step. */
  readonly slots: number
  /** The operator's number of cache tokens; 0 for the most that the slots can need, unset for a default. */
  readonly kvTokens: number | undefined
}

/** The part of the decoder that is on a card: its last layers, with the head. */
export interface CardShare {
  readonly layers: number
  /** Tokens for which the card's memory is set aside. */
  readonly cacheTokens: number
}

/** Tokens per slot that are plenty for a chat with pictures: 4,000 tokens of answer and as many of prompt. */
const usualTokensPerSlot = 8192

/** However little memory is left, short requests must be served. */
const leastTokens = 1024

/**
 * Bytes for what is kept between runs of the full model, features and logits included: as many buffers of each size as a run has at a
 * time, 3.2 GB if runs of every size have occurred (docs/gpu.md).
 */
export const reservedBytes = 3.2e9

/** Rows of a layer's cache that are no token's: see `RowCache`. */
const paddingRows = 1

/**
 * As many of the last layers as fit. The cache may shrink to make room for all of them; but if some have to stay on the
 * CPU anyway, keeping one more there costs less than conversations cut short.
 * @returns undefined when not one fits
 */
export function mostOnCard(demand: CardDemand, freeBytes: number): CardShare | undefined {
  const all = demand.layerBytes.length
  const whole = shareOf(demand, all, freeBytes)
  if (whole !== undefined) return whole
  const cacheTokens = wantedTokens(demand)
  for (let layers = all - 1; layers > 0; layers--) {
    if (bytesOf(demand, layers, cacheTokens) <= freeBytes) return { layers, cacheTokens }
  }
  return shareOf(demand, 1, freeBytes)
}

/** These last layers, with as much cache as fits. @returns undefined when they leave too little for the cache */
export function shareOf(
  demand: CardDemand,
  layers: number,
  freeBytes: number,
): CardShare | undefined {
  const left = freeBytes - bytesBesideCache(demand, layers)
  const rows = Math.floor(largestTensor(left / layers) / demand.cacheBytesPerToken)
  const affordable = rows - paddingRows
  if (affordable < requiredTokens(demand)) return undefined
  return { layers, cacheTokens: Math.min(wantedTokens(demand), affordable) }
}

/** Bytes that a card has to have free for these last layers. */
export function leastBytes(demand: CardDemand, layers: number): number {
  return bytesOf(demand, layers, requiredTokens(demand))
}

function bytesOf(demand: CardDemand, layers: number, tokens: number): number {
  const cache = bufferBytes((tokens + paddingRows) * demand.cacheBytesPerToken)
  return bytesBesideCache(demand, layers) + layers * cache
}

function bytesBesideCache({ layerBytes, otherBytes }: CardDemand, layers: number): number {
  const weights = layerBytes.slice(layerBytes.length - layers).reduce((sum, one) => sum + one, 0)
  return weights + otherBytes + reservedBytes
}

/** Tokens without which the card is not used. */
function requiredTokens(demand: CardDemand): number {
  return demand.kvTokens === undefined ? leastTokens : wantedTokens(demand)
}

function wantedTokens({ slots, contextTokens, kvTokens }: CardDemand): number {
  if (kvTokens === 0) return slots * contextTokens
  return kvTokens ?? slots * Math.min(contextTokens, usualTokensPerSlot)
}
