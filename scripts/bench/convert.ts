import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { formatBytes } from '../../shared/progress/amounts.ts'
import { bytesIn, readingTime, writingTime } from './convert/disk-speed.ts'
import { measureModels, type Usage } from './convert/measure-program.ts'
import { markdownTable, writeSection } from '../performance/document.ts'

interface Options {
  readonly layers: string
  readonly visionLayers: string
  readonly experts: string
  readonly folder: string
  readonly runs: number
  readonly other?: string
  readonly keep?: boolean
  readonly doc?: boolean
}

/** A conversion, and the time that the disk alone took for as many bytes right before it. Times in seconds. */
interface Conversion {
  readonly code: string
  readonly usage: Usage
  readonly reading: number
  readonly writing: number
}

/**
 * `npm run bench:convert`: writes a checkpoint with the shapes of Kimi-VL-A3B, converts it and checks it; each conversion is
 * compared with reading and writing as many bytes, measured right before.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run bench:convert --')
    .description('Time and memory of writing, converting and checking a checkpoint')
    .option('--layers <n>', 'layers of the text model', '4')
    .option('--vision-layers <n>', 'layers of the vision tower', '27')
    .option('--experts <n>', 'experts of a layer', '64')
    .option('--folder <path>', 'where there is space', tmpdir())
    .option('--runs <n>', 'conversions with each code', Number, 2)
    .option('--other <checkout>', 'another checkout of this repository, to convert with in turns')
    .option('--keep', 'leave the checkpoint and what was made of it last, to load it')
    .option('--doc', 'write the results to docs/performance.md')
    .parse([...given], { from: 'user' })
  const options = program.opts<Options>()
  const folder = await mkdtemp(join(options.folder, 'bench-convert-'))
  try {
    const section = await measure(folder, options)
    console.log(section)
    if (options.doc === true) await writeSection('conversion', section)
    return 0
  } finally {
    if (options.keep === true) console.log(`kept: ${folder}`)
    else await rm(folder, { recursive: true })
  }
}

async function measure(folder: string, options: Options): Promise<string> {
  const { layers, visionLayers, experts } = options
  const checkpoint = join(folder, 'checkpoint')
  const here = process.cwd()
  const models = (checkout: string, ...given: readonly string[]) =>
    measureModels({ checkout, arguments: given, environment: { STATE_DIR: join(folder, 'state') } })
  const sizes = ['--layers', layers, '--vision-layers', visionLayers, '--experts', experts]
  const written = await models(here, 'synthesise', checkpoint, ...sizes)
  const bytes = { source: bytesIn(checkpoint), converted: 0 }
  const conversions: Conversion[] = []
  for (let run = 0; run < options.runs; run++) {
    for (const checkout of [here, ...(options.other === undefined ? [] : [options.other])]) {
      const reading = readingTime(checkpoint)
      const probe = Math.ceil(bytes.source / 2)
      const perByte = writingTime(join(folder, 'written'), probe) / probe
      await rm(join(folder, 'state'), { recursive: true, force: true })
      const usage = await models(checkout, 'convert', checkpoint)
      bytes.converted = bytesIn(join(folder, 'state'))
      const writing = perByte * bytes.converted
      const conversion = { code: checkout === here ? 'this' : 'other', usage, reading, writing }
      conversions.push(conversion)
      console.log(JSON.stringify(conversion))
    }
  }
  const checked = await models(here, 'check', checkpoint)
  const size = `${layers} layers with ${experts} experts, ${visionLayers} vision layers`
  return `${size}.\n\n${resultTable(bytes, written, conversions, checked)}`
}

function resultTable(
  bytes: { readonly source: number; readonly converted: number },
  written: Usage,
  conversions: readonly Conversion[],
  checked: Usage,
): string {
  const [source, converted] = [formatBytes(bytes.source), formatBytes(bytes.converted)]
  return markdownTable(
    ['step', 'bytes', 'processor time', 'wall time', 'memory at most', 'the disk alone', 'ratio'],
    [
      ['writing the checkpoint', `${source} written`, ...usageCells(written), '', ''],
      ...conversions.map(({ code, usage, reading, writing }) => [
        `converting, ${code} code`,
        `${source} read, ${converted} written`,
        ...usageCells(usage),
        `${seconds(reading)} + ${seconds(writing)}`,
        `${((100 * (reading + writing)) / usage.wall).toFixed(0)} %`,
      ]),
      ['checking, layer by layer', `${source} read`, ...usageCells(checked), '', ''],
    ],
  )
}

function usageCells({ user, system, wall, memory }: Usage): string[] {
  return [`${seconds(user)}, ${seconds(system)} in the kernel`, seconds(wall), formatBytes(memory)]
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`
}
