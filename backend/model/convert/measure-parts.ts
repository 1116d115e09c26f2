import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Progress, type Report } from '../../../shared/progress/progress.ts'
import { floatTypes, type FloatType } from '../../checkpoint/half-float.ts'
import { bytesOf } from '../../graph/weight-source.ts'
import type { TokenizerFile } from '../config/tokenizer-file.ts'
import { channelLinks } from '../equalize/channel-links.ts'
import type { ChannelMaxima } from '../equalize/channel-maxima.ts'
import { fileNames } from './graphs/build-graphs.ts'
import type { ModelSource } from './source/model-source.ts'
import { partOf, type StoredMaxima } from './tasks/conversion-task.ts'
import { floatsOf, type Journal } from './tasks/journal.ts'
import { leastParallelBytes } from './tasks/run-tasks.ts'

/** Channels of a part of the model, as `partOf` names it. */
export interface MeasuredPart {
  readonly part: string
  readonly maxima: ChannelMaxima
  /** Hidden rows after a layer of the decoder, which are needed to continue from there. */
  readonly rows?: Float32Array
}

interface MeasureOptions {
  /** Cores it may use. */
  readonly threads: number
  /** Where to continue: an earlier layer, with its rows. From the beginning unless given. */
  readonly after?: Required<Pick<MeasuredPart, 'part' | 'rows'>> | undefined
  readonly signal: AbortSignal
}

/**
 * Runs the calibration set through a model in float32. Yields the parts in their order. Passed in, since the converter
 * does not know how to run a model: `measureChannels`.
 */
export type MeasureChannels = (
  source: ModelSource,
  tokens: TokenizerFile,
  options: MeasureOptions,
) => AsyncGenerator<MeasuredPart, void>

interface Measuring extends Omit<MeasureOptions, 'after'> {
  readonly measure: MeasureChannels
  readonly report: Report
}

/** In the folder of a conversion: the rows after the latest layer that was measured. */
const rowsFile = 'calibration.rows'
const newRowsFile = `${rowsFile}.new`

/**
 * Records in the journal how large the channels of each part are, unless it has them already. Resumes where it was
 * interrupted.
 */
export async function measureParts(
  folder: string,
  source: ModelSource,
  journal: Journal,
  measuring: Measuring,
): Promise<void> {
  const isKnown = (part: string) =>
    journal.shiftsOf(part) !== undefined || journal.maximaOf(part) !== undefined
  if (!partsWithLinks(source).every(isKnown)) {
    const after = await readRows(folder, journal)
    for await (const { part, maxima, rows } of measured(source, after, measuring)) {
      const sha256 = rows && (await saveRows(folder, rows))
      if (isKnown(part)) continue
      journal.add({ type: 'measured', part, maxima: stored(maxima), rows: sha256 })
    }
  }
  for (const name of [rowsFile, newRowsFile]) await rm(join(folder, name), { force: true })
}

/** The parts as they are measured, with progress reports. */
async function* measured(
  source: ModelSource,
  after: MeasureOptions['after'],
  { measure, report, ...options }: Measuring,
): AsyncGenerator<MeasuredPart, void> {
  const bytes = partBytes(source)
  const parts = partsWithLinks(source)
  const done = after === undefined ? [] : parts.slice(0, parts.indexOf(after.part) + 1)
  const totalBytes = sumOf([...bytes.values()])
  const progress = new Progress({
    title: 'measuring channels',
    totalBytes,
    doneBefore: sumOf(done.map((part) => bytes.get(part) ?? 0)),
    report,
    now: () => performance.now(),
  })
  const tokens = await source.readTokens!()
  // Threads that wait for each other in every small run cost more than they gain.
  const threads = totalBytes < leastParallelBytes ? 1 : options.threads
  for await (const each of measure(source, tokens, { ...options, threads, after })) {
    yield each
    progress.add(bytes.get(each.part) ?? 0)
  }
  progress.end()
}

/** In their order. */
function partsWithLinks({ config }: ModelSource): string[] {
  const parts = channelLinks(config).map(({ name }) => partOf(name, fileNames.weights.decoder))
  return [...new Set(parts)]
}

/** @returns SHA-256 of the rows, by which they are recognised */
async function saveRows(folder: string, rows: Float32Array): Promise<string> {
  const content = bytesOf(rows)
  await writeFile(join(folder, newRowsFile), content)
  await rename(join(folder, newRowsFile), join(folder, rowsFile))
  return createHash('sha256').update(content).digest('hex')
}

/** @returns undefined unless the file has the rows of a layer that was measured */
async function readRows(folder: string, journal: Journal) {
  const content = await readFile(join(folder, rowsFile)).catch(() => undefined)
  if (content === undefined) return undefined
  const part = journal.partWithRows(createHash('sha256').update(content).digest('hex'))
  return part === undefined ? undefined : { part, rows: floatsOf(content) }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Part -> bytes of its tensors, which are read to measure it. */
function partBytes({ checkpoint }: ModelSource): Map<string, number> {
  const bytes = new Map<string, number>()
  for (const [tensor, dims] of checkpoint.shapes) {
    const part = partOf(tensor, '')
    const type = checkpoint.types.get(tensor) as FloatType
    const own = dims.reduce((product, size) => product * size, floatTypes[type])
    if (part !== '') bytes.set(part, (bytes.get(part) ?? 0) + own)
  }
  return bytes
}

function stored(maxima: ChannelMaxima): StoredMaxima {
  return Object.fromEntries(
    [...maxima].map(([link, { buffer, byteOffset, byteLength }]) => [
      link,
      Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    ]),
  )
}
