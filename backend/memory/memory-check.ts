import { formatBytes } from '../../shared/progress/amounts.ts'
import type { FormNeeds, HostNeeds } from '../model/host-needs.ts'
import type { FreeMemory } from './free-memory.ts'
import { leastDecodeMemoryMb, leastUploadMemoryMb } from './body-bounds.ts'
import { lowerSettings, type Demand } from './lower-settings.ts'
import { memoryParts, sumOf, type MemoryParts, type MemorySettings } from './memory-parts.ts'

/** Whether the model fits, as found before it is loaded. */
export type MemoryCheck = MemoryNumbers &
  (
    | {
        /** Undefined where the free memory is unknown. */
        readonly fits: true | undefined
        /** For the operator: what should be changed nevertheless. */
        readonly remedy?: string | undefined
      }
    | {
        readonly fits: false
        /** For the operator: what has to be changed. */
        readonly remedy: string
      }
  )

interface MemoryNumbers {
  readonly neededBytes: number
  readonly freeBytes: number | undefined
  readonly parts: MemoryParts
  /** The numbers, for the operator. */
  readonly statement: string
}

interface CheckOptions extends FormNeeds {
  readonly settings: MemorySettings
  /** Undefined where unknown. */
  readonly free: FreeMemory | undefined
}

/** Compares what is needed with what is free, and finds the settings to change. */
export function checkMemory({ chosen: needs, rounded, settings, free }: CheckOptions): MemoryCheck {
  const parts = memoryParts(needs, settings)
  const needed = sumOf(parts)
  const found = { neededBytes: needed, freeBytes: free?.bytes, parts }
  const need = `the model needs ${formatBytes(needed)} of memory (${listOf(parts)})`
  if (free === undefined) {
    return { ...found, fits: undefined, statement: `${need}; how much is free is unknown here` }
  }
  const statement = `${need}, and ${formatBytes(free.bytes)} ${whose[free.limitedBy]}`
  if (needed > free.bytes) {
    return {
      ...found,
      fits: false,
      statement,
      remedy: remedy({ needs, settings }, free, rounded?.()),
    }
  }
  return { ...found, fits: true, statement, remedy: advice(settings, free.bytes - needed) }
}

/** One sentence for the operator. */
export function memoryText({ statement, remedy: what }: MemoryCheck): string {
  return what === undefined ? statement : `${statement}: ${what}`
}

const whose = {
  machine: 'are free',
  container: 'are free within the limit of this container or service',
  setting: 'are allowed by MEMORY_MB',
} as const

const partNames: Readonly<Record<keyof MemoryParts, string>> = {
  weights: 'weights',
  cache: 'KV cache',
  images: 'images in progress',
  keptImages: 'kept images',
  steps: 'steps',
  programs: 'programs',
}

function listOf(parts: MemoryParts): string {
  return (Object.keys(partNames) as (keyof MemoryParts)[])
    .filter((part) => parts[part] > 0)
    .map((part) => `${partNames[part]} ${formatBytes(parts[part])}`)
    .join(', ')
}

function remedy(demand: Demand, free: FreeMemory, rounded: HostNeeds | undefined): string {
  const override =
    free.limitedBy === 'setting' ? '' : ' (MEMORY_MB overrides what was found to be free)'
  const forms = [
    { changes: [], needs: demand.needs },
    ...(rounded === undefined ? [] : [{ changes: ['WEIGHTS=q8'], needs: rounded }]),
  ]
  const tried = forms.map(({ changes, needs }) => {
    const lowered = lowerSettings({ ...demand, needs }, free.bytes)
    return { ...lowered, changes: [...changes, ...lowered.changes] }
  })
  const fitting = tried.find(({ neededBytes }) => neededBytes <= free.bytes)
  if (fitting !== undefined) return `set ${fitting.changes.join(' and ')}${override}`
  const least = Math.min(...tried.map(({ neededBytes }) => neededBytes))
  return `no setting makes up for that, at least ${formatBytes(least)} have to be free${override}`
}

/** What the bounds of uploads and of decoding should be, where both could not be reached beside the model. */
function advice(
  { uploadBytes, decodeBytes }: MemorySettings,
  leftBytes: number,
): string | undefined {
  const bounds = uploadBytes + decodeBytes
  if (leftBytes >= bounds) return undefined
  const left = Math.floor(leftBytes / 2 ** 20)
  const upload = Math.max(leastUploadMemoryMb, Math.floor(left / 2))
  const decode = Math.max(leastDecodeMemoryMb, left - upload)
  return (
    `uploads and their pictures may take another ${formatBytes(bounds)}, more than that leaves; ` +
    `set UPLOAD_MEMORY_MB=${upload} and DECODE_MEMORY_MB=${decode}`
  )
}
