import { leastCacheTokens } from '../engine/memory/cache-limits.ts'
import type { HostNeeds } from '../model/host-needs.ts'

/** The settings that decide how much memory the backend may come to take. */
export interface MemorySettings {
  readonly slots: number
  /** Tokens of the cache: 0 for the most that the slots can need, unset for a number that suits the machine. */
  readonly kvTokens: number | undefined
  readonly imageCacheBytes: number
  readonly uploadBytes: number
  readonly decodeBytes: number
}

/** What the model and its requests need, in bytes. */
export interface MemoryParts {
  readonly weights: number
  readonly cache: number
  /** Images on their way through the vision tower. */
  readonly images: number
  /** Features of images, kept for the next request. */
  readonly keptImages: number
  readonly steps: number
  /** The programs themselves. */
  readonly programs: number
}

/** The engine processes as many images at a time. */
const imagesInProgress = 2

/**
 * Bytes of the programs of `npm start` without model and requests: launcher, edge, backend and its inference process, text
 * workers, and processes that decode images. Measured as 0.7 GB with nano, and 0.9 GB with a vocabulary of 163,840 tokens.
 */
const programBytes = 900e6

/** What is needed in any case: the cache as it is set, or the least it can be where its size is left to the machine. */
export function memoryParts(needs: HostNeeds, settings: MemorySettings): MemoryParts {
  const cacheTokens = cacheTokensOf(needs, settings)
  return {
    weights: needs.weightBytes + needs.largestWeightBytes,
    cache: cacheTokens * needs.cacheBytesPerToken,
    images: imagesInProgress * needs.imageBytes,
    keptImages: settings.imageCacheBytes,
    steps: Math.min(cacheTokens, needs.contextTokens) * needs.stepBytesPerToken + needs.stagesBytes,
    programs: programBytes,
  }
}

export function cacheTokensOf(
  { contextTokens }: HostNeeds,
  { kvTokens, slots }: MemorySettings,
): number {
  if (kvTokens === undefined) return leastCacheTokens
  return kvTokens === 0 ? slots * contextTokens : kvTokens
}

/**
 * The part of the cache that is in the machine's own memory.
 * @param card how the decoder uses one: the layers on the CPU keep the tokens that those on the card keep
 */
export function hostCacheTokens(
  kvTokens: number | undefined,
  card: { readonly cacheTokens: number; readonly cpuLayers: number } | undefined,
): number | undefined {
  return card !== undefined && card.cpuLayers > 0 ? card.cacheTokens : kvTokens
}

export function sumOf(parts: MemoryParts): number {
  return Object.values<number>({ ...parts }).reduce((sum, bytes) => sum + bytes, 0)
}
