import { Progress, type Report } from '../../../shared/progress/progress.ts'
import type { TokenizerFile } from '../config/tokenizer-file.ts'
import { channelLinks } from '../equalize/channel-links.ts'
import type { ChannelMaxima } from '../equalize/channel-maxima.ts'
import { fileNames } from './graphs/build-graphs.ts'
import type { ModelSource } from './source/model-source.ts'
import { partOf, type StoredMaxima } from './tasks/conversion-task.ts'
import type { Journal } from './tasks/journal.ts'

/** Channels of a part of the model, as `partOf` names it. */
export interface MeasuredPart {
  readonly part: string
  readonly maxima: ChannelMaxima
}

interface MeasureOptions {
  /** Cores it may use. */
  readonly threads: number
  readonly signal: AbortSignal
}

/**
 * Runs the calibration set through a model in float32. Yields the parts in their order. Converting does not know how to run
 * a model, so this is given to it: `measureChannels`.
 */
export type MeasureChannels = (
  source: ModelSource,
  tokens: TokenizerFile,
  options: MeasureOptions,
) => AsyncGenerator<MeasuredPart, void>

interface Measuring extends MeasureOptions {
  readonly measure: MeasureChannels
  readonly report: Report
}

/** Notes in the journal how large the channels of each part are, unless it knows. */
export async function measureParts(
  source: ModelSource,
  journal: Journal,
  { measure, report, ...options }: Measuring,
): Promise<void> {
  const isKnown = (part: string) =>
    journal.shiftsOf(part) !== undefined || journal.maximaOf(part) !== undefined
  const parts = channelLinks(source.config).map(({ name }) =>
    partOf(name, fileNames.weights.decoder),
  )
  if (source.readTokens === undefined || parts.every(isKnown)) return
  const bytesOf = partBytes(source)
  const progress = new Progress({
    title: 'measuring channels',
    totalBytes: [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0),
    report,
    now: () => performance.now(),
  })
  for await (const { part, maxima } of measure(source, await source.readTokens(), options)) {
    if (!isKnown(part)) journal.add({ type: 'measured', part, maxima: stored(maxima) })
    progress.add(bytesOf.get(part) ?? 0)
  }
  progress.end()
}

/** Part -> bytes of its tensors, in float32: what has to be read to measure it. */
function partBytes({ checkpoint }: ModelSource): Map<string, number> {
  const bytes = new Map<string, number>()
  for (const [tensor, dims] of checkpoint.shapes) {
    const part = partOf(tensor, '')
    const own = dims.reduce((product, size) => product * size, 4)
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
