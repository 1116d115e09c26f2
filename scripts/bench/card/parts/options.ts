import { Command } from 'commander'
import type { Adapter } from '../../../../backend/device/adapter.ts'
import { listOf, wholeNumber } from '../../options.ts'

/** What the processes that run parts are given. */
export interface CardCheckOptions {
  readonly layers: number
  readonly visionLayers: number
  readonly narrow: boolean
  readonly slots: number
  readonly requests: number
  readonly shareLayers: boolean
  readonly isSoftware: boolean
  readonly dir: string
  readonly minutes: number
  readonly only: readonly string[] | undefined
  /** Whether the results go into docs/performance.md. */
  readonly doc: boolean
}

/**
 * What is measured on a card; a driver that computes on the CPU shows within the same minutes that the script works.
 */
const defaults = {
  hardware: { layers: 27, visionLayers: 27, narrow: false, slots: 32, requests: 1000, doc: true },
  software: { layers: 2, visionLayers: 2, narrow: true, slots: 4, requests: 24, doc: false },
} as const

/** @param partNames that `--only` may name */
export function parseCardOptions(
  given: readonly string[],
  partNames: readonly string[],
  findKind: () => Promise<Adapter['kind']>,
): Promise<CardCheckOptions> {
  const options = new Command('npm run bench:card --')
    .description('Judges a graphics card: right answers, speed, memory. At most 8 minutes')
    .option('--layers <n>', 'decoder layers of the table; 27, without a card 2', wholeNumber)
    .option('--narrow', 'narrow layers, which show without a card that all works')
    .option('--no-narrow', 'layers as wide as the real ones, even without a card')
    .option('--vision-layers <n>', 'vision layers; 27, without a card 2', wholeNumber)
    .option('--slots <n>', 'streams at once; 32, without a card 4', wholeNumber)
    .option('--requests <n>', 'mixed requests; 1,000, without a card 24', wholeNumber)
    .option('--share-layers', 'equal layers are one set of weights: 27 layers in 2 GB', false)
    .option('--minutes <n>', 'after which what is not done is left out', wholeNumber, 8)
    .option('--only <parts>', `comma-separated, of ${partNames.join()}`, listOf(partNames))
    .option('--dir <folder>', 'where models and numbers are kept', '.local/bench-card')
    .option('--doc', 'write docs/performance.md, which is done anyway on a card')
    .allowExcessArguments(false)
    .parse([...given], { from: 'user' })
    .opts<Partial<CardCheckOptions>>()
  return findKind().then(
    (kind) =>
      ({ ...defaults[kind], isSoftware: kind === 'software', ...options }) as CardCheckOptions,
  )
}
