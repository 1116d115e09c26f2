import type { ModelInfo } from '../../model/model.ts'

/** Limits of the caches. */
export interface CacheLimits {
  /** Tokens that all slots and the prefix cache may hold together. Unset: the most that the slots can need. */
  readonly kvTokens?: number | undefined
  /** How many of these the prefix cache may hold. 0 or unset: there is no prefix cache. */
  readonly prefixTokens?: number | undefined
  /** Bytes of image features. 0 or unset: none are kept. */
  readonly imageBytes?: number | undefined
}

/** Tokens per slot that are plenty for a chat with pictures: 4,000 tokens of answer and as many of prompt. */
const usualTokensPerSlot = 8192

/**
 * Fraction of the memory that is free when the model is loaded; the rest is for images, activations and other
 * programs.
 */
const shareOfFreeMemory = 0.5

/** However little memory is free, short requests must be served. */
export const leastCacheTokens = 1024

/**
 * Tokens of cache memory.
 * @param setting the operator's number; 0 for the most that the slots can need, unset for a default that suits this
 * machine
 * @param freeBytes memory free once the model is loaded
 */
export function kvTokensOf(
  setting: number | undefined,
  info: ModelInfo,
  freeBytes: number,
): number {
  if (setting === undefined) return defaultKvTokens(info, freeBytes)
  return setting === 0 ? info.slots * info.contextTokens : setting
}

function defaultKvTokens(
  { slots, contextTokens, cacheBytesPerToken }: ModelInfo,
  freeBytes: number,
): number {
  const wanted = slots * Math.min(contextTokens, usualTokensPerSlot)
  const affordable = Math.floor((shareOfFreeMemory * freeBytes) / cacheBytesPerToken)
  return Math.max(leastCacheTokens, Math.min(wanted, affordable))
}
