import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'

export interface BenchOptions {
  readonly provider: 'cpu' | 'webgpu'
  readonly layers: number
  readonly visionLayers: number
  readonly narrow: boolean
  readonly slots: number
  readonly threads: number
  readonly dir: string
  readonly only: readonly string[]
  readonly contexts: readonly number[]
  readonly prompts: readonly number[]
  readonly shareLayers: boolean
  readonly doc: boolean
}

/** What can be measured; `steps` on a card alone, `host` on the CPU alone. */
const parts = ['decode', 'context', 'prefill', 'steps', 'vision', 'host', 'engine']

/** What fits the machine that is measured. */
const defaults = {
  cpu: { layers: 4, slots: 8, contexts: [4096, 16_384] },
  webgpu: { layers: 27, slots: 32, contexts: [4096] },
} as const

/** @throws {InvalidArgumentError} */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0')
  return Number(text)
}

/** Parses a comma-separated list of known names. */
export function listOf(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text.split(',')
    const unknown = names.find((name) => !known.includes(name))
    if (unknown !== undefined) throw new InvalidArgumentError(`known are ${known.join()}`)
    return names
  }
}

export function parseOptions(): BenchOptions {
  const wholes = (text: string) => text.split(',').map(wholeNumber)
  const given = new Command('npm run bench --')
    .description('Measures models of the real dimensions and random weights on this machine')
    .addOption(
      new Option('--provider <name>', 'what runs the decoder')
        .choices(['cpu', 'webgpu'])
        .default('cpu'),
    )
    .option('--layers <n>', 'decoder layers, up to 27 (17 GB); 4, on a card 27', wholeNumber)
    .option('--vision-layers <n>', 'vision layers, up to 27', wholeNumber, 27)
    .option('--narrow', 'on a card, narrow layers: shows without one that all works', false)
    .option('--slots <n>', 'concurrent sequences; 8, on a card 32', wholeNumber)
    .option('--threads <n>', 'cores to use', wholeNumber, availableParallelism())
    .option('--dir <folder>', 'where models are kept between runs', '.local/bench')
    .option('--only <parts>', `comma-separated, of ${parts.join()}`, listOf(parts), parts)
    .option('--contexts <list>', 'cached tokens, for the part context', wholes)
    .option('--prompts <list>', 'tokens read, for the part prefill', wholes, [256, 1024, 4096])
    .option('--share-layers', 'on a card, equal layers are one set of weights', false)
    .option('--doc', 'write the table into docs/performance.md', false)
    .parse()
    .opts<Omit<BenchOptions, 'layers' | 'slots' | 'contexts'> & Partial<BenchOptions>>()
  return { ...defaults[given.provider], ...given }
}
