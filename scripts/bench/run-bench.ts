import { availableParallelism, cpus, totalmem } from 'node:os'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { openModel } from '../../backend/model/load-model.ts'
import { defaultBlockSize } from '../../backend/model/convert/weight-forms.ts'
import {
  benchCallers,
  benchEngineOverhead,
  benchFirstToken,
  benchMixedLoad,
  benchVisionBeside,
} from './engine.ts'
import { benchConstrained } from './constrained.ts'
import { benchImage, benchSampler } from './host.ts'
import { openMachine, type MachineLimits } from './machine.ts'
import type { BenchRow } from './measure.ts'
import { randomSource } from './random-source.ts'
import { benchDecode, benchPrefill, type TextBench } from './text.ts'
import { benchVision } from './vision.ts'
import { markdownTable, writeSection } from '../performance/document.ts'

interface Options {
  readonly layers: number
  readonly visionLayers: number
  readonly slots: number
  readonly threads: number
  readonly dir: string
  readonly only: readonly string[]
  readonly contexts: readonly number[]
  readonly prompts: readonly number[]
  readonly doc: boolean
}

/** Cached tokens at which attention costs next to nothing. */
const shortContext = 64

const parts = ['decode', 'context', 'prefill', 'vision', 'host', 'engine']

function parseOptions(): Options {
  const whole = (text: string) => {
    if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0')
    return Number(text)
  }
  const wholes = (text: string) => text.split(',').map(whole)
  const list = (text: string) => {
    const unknown = text.split(',').find((part) => !parts.includes(part))
    if (unknown !== undefined) throw new InvalidArgumentError(`known are ${parts.join()}`)
    return text.split(',')
  }
  return new Command('npm run bench --')
    .description('Measures models of the real dimensions and random weights on this machine')
    .option('--layers <n>', 'decoder layers, up to 27 (17 GB)', whole, 4)
    .option('--vision-layers <n>', 'vision layers, up to 27', whole, 27)
    .option('--slots <n>', 'concurrent sequences', whole, 8)
    .option('--threads <n>', 'cores to use', whole, availableParallelism())
    .option('--dir <folder>', 'where models are kept between runs', '.local/bench')
    .option('--only <parts>', `comma-separated, of ${parts.join()}`, list, parts)
    .option('--contexts <list>', 'cached tokens, for the part context', wholes, [4096, 16_384])
    .option('--prompts <list>', 'tokens read, for the part prefill', wholes, [256, 1024, 4096])
    .option('--doc', 'write the table into docs/performance.md', false)
    .parse()
    .opts<Options>()
}

async function measureAll(): Promise<void> {
  const options = parseOptions()
  console.log('measuring the machine ...')
  const limits = await openMachine(options.threads)
  const machine = await limits.measure()
  const rows: BenchRow[] = [machineRow(machine)]
  const tell = (row: BenchRow) => {
    rows.push(row)
    console.log(`${row.name}: ${row.value}${row.ratio === '' ? '' : `, ${row.ratio}`}`)
  }
  console.log(`${rows[0]!.name}: ${rows[0]!.value}`)
  const source = randomSource(options.layers, options.visionLayers)
  const start = performance.now()
  const model = await openModel(source, {
    modelsDir: options.dir,
    weights: 'q8',
    slots: options.slots,
    threads: options.threads,
    onProgress: (text) => console.log(text),
  })
  tell(loadRow((performance.now() - start) / 1000))
  const { text_config: config, vision_config: vision } = source.config
  const bench: TextBench = { model, config, blockSize: defaultBlockSize, machine, limits }
  const runs = (part: string) => options.only.includes(part)
  let stepMs = Number.NaN
  if (runs('decode')) {
    tell(await benchDecode(bench, 1, shortContext, 48))
    for (const sequences of [1, 2, 4, 8].filter((n) => n <= options.slots)) {
      const row = await benchDecode(bench, sequences, 512, 48)
      if (sequences === 1) stepMs = row.data['bestMs']!
      tell(row)
    }
  }
  if (runs('context')) {
    for (const context of options.contexts) tell(await benchDecode(bench, 1, context, 24))
  }
  if (runs('prefill')) {
    const alone = options.prompts.map((tokens) => ({ tokens, past: 0 }))
    const prompts = [...alone, { tokens: 256, past: Math.max(...options.prompts) }]
    for (const row of await benchPrefill(bench, prompts, 5)) tell(row)
  }
  if (runs('vision')) {
    for (const side of [16, 32, 64])
      tell(await benchVision(model, vision, machine, side, side === 64 ? 1 : 2))
  }
  if (runs('host')) {
    tell(await benchSampler('greedy', { temperature: 0 }))
    tell(await benchSampler('temperature 0.7, top_p 0.9', {}))
    const rules = 'temperature 0.7, top_p 0.9, logprobs with 20 alternatives'
    tell(await benchSampler(rules, {}, 20))
    tell(await benchSampler('flat: temperature 2, top_p 0.99', { temperature: 2, topP: 0.99 }))
    for (const row of benchConstrained()) tell(row)
    for (const [width, height] of [
      [640, 480],
      [1920, 1080],
      [4000, 3000],
    ] as const) {
      tell(await benchImage(width, height, source.preprocessor))
    }
  }
  if (runs('engine')) {
    tell(await benchEngineOverhead(stepMs))
    tell(await benchFirstToken(model, [36, 46]))
    tell(await benchCallers(model, options.slots))
    tell(await benchMixedLoad(model, 2048))
    tell(await benchVisionBeside(model, [32, 32]))
  }
  await model.close()
  await limits.close()
  await report(options, rows)
}

function machineRow(machine: MachineLimits): BenchRow {
  return {
    name: 'machine',
    value: `${machine.gigabytesPerSecond.toFixed(1)} GB/s, ${machine.gigaflops.toFixed(0)} GFLOP/s in float32`,
    ratio: '',
    data: { ...machine },
  }
}

function loadRow(seconds: number): BenchRow {
  const residentGb = process.memoryUsage().rss / 1e9
  return {
    name: 'load (conversion included when it was the first time)',
    value: `${seconds.toFixed(1)} s, ${residentGb.toFixed(2)} GB resident`,
    ratio: '',
    data: { seconds, residentGb },
  }
}

async function report(options: Options, rows: readonly BenchRow[]): Promise<void> {
  const machine = `${options.threads} threads, ${cpus()[0]!.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`
  const title = `${options.layers} decoder layers, ${options.visionLayers} vision layers, ${options.slots} slots; ${machine}`
  const table = markdownTable(
    ['measurement', 'result (best)', 'against'],
    rows.map(({ name, value, ratio }) => [name, value, ratio]),
  )
  console.log(`\n${title}\n\n${table}`)
  await mkdir(options.dir, { recursive: true })
  const file = join(options.dir, `bench-${options.layers}.json`)
  const data = Object.fromEntries(rows.map((row) => [row.name, row.data]))
  await writeFile(file, JSON.stringify({ title, date: new Date().toISOString(), data }, null, 2))
  console.log(`\nnumbers in ${file}`)
  if (options.doc) await writeSection(`bench-${options.layers}`, `${title}\n\n${table}`)
}

await measureAll()
process.disconnect()
