import { leastCacheTokens } from '../engine/memory/cache-limits.ts'
import type { HostNeeds } from '../model/host-needs.ts'
import { cacheTokensOf, memoryParts, sumOf, type MemorySettings } from './memory-parts.ts'

export interface Demand {
  readonly needs: HostNeeds
  readonly settings: MemorySettings
}

/** Settings lowered until everything fits, or as far as they can be. */
interface LoweredSettings {
  /** As `NAME=value`. */
  readonly changes: readonly string[]
  /** What is needed with them. */
  readonly neededBytes: number
}

/** A setting with which less memory is needed. */
interface Lever {
  readonly name: string
  /** Its value now; undefined where it is left to the machine. */
  readonly current: (demand: Demand) => number | undefined
  readonly least: number
  readonly set: (settings: MemorySettings, value: number) => MemorySettings
}

const megabyte = 2 ** 20

/** In the order in which they are lowered: what costs callers least comes first. */
const levers: readonly Lever[] = [
  {
    name: 'KV_CACHE_TOKENS',
    current: ({ needs, settings }) =>
      settings.kvTokens === undefined ? undefined : cacheTokensOf(needs, settings),
    least: leastCacheTokens,
    set: (settings, kvTokens) => ({ ...settings, kvTokens }),
  },
  {
    name: 'IMAGE_CACHE_MB',
    current: ({ settings }) => settings.imageCacheBytes / megabyte,
    least: 0,
    set: (settings, value) => ({ ...settings, imageCacheBytes: value * megabyte }),
  },
]

/** Lowers settings one after the other, none more than necessary. */
export function lowerSettings({ needs, settings }: Demand, freeBytes: number): LoweredSettings {
  const changes: string[] = []
  let lowered = settings
  const neededWith = (tried: MemorySettings) => sumOf(memoryParts(needs, tried))
  for (const { name, current, least, set } of levers) {
    const value = current({ needs, settings: lowered })
    if (neededWith(lowered) <= freeBytes || value === undefined || value <= least) continue
    const best = largest(least, value, (tried) => neededWith(set(lowered, tried)) <= freeBytes)
    changes.push(`${name}=${best}`)
    lowered = set(lowered, best)
  }
  return { changes, neededBytes: neededWith(lowered) }
}

/** The largest whole number from `least` to `most` that fits, by bisection; `least` when none does. */
function largest(least: number, most: number, fits: (value: number) => boolean): number {
  let [low, high] = [least, most]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return low
}
