import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { missingSpace } from '../../../shared/node/files/free-space.ts'
import { Progress, type Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { assertComplete, type FileChecksums, type FilePart } from '../../graph/weights-file.ts'
import { embeddingBytes, embeddingTensor } from '../deepseek/embedding-table.ts'
import type { Equalization } from '../equalize/find-outliers.ts'
import {
  buildGraphs,
  byFileName,
  fileNames,
  weightsFiles,
  type GraphOptions,
  type GraphsByFile,
} from './graphs/build-graphs.ts'
import { fillsByPart } from './tasks/conversion-task.ts'
import { Journal } from './tasks/journal.ts'
import { converterVersion, writeManifest, type MadeForm } from './manifest.ts'
import { measureParts, type MeasureChannels } from './measure-parts.ts'
import type { ModelSource } from './source/model-source.ts'
import { planTasks } from './tasks/plan-tasks.ts'
import { runTasks } from './tasks/run-tasks.ts'
import type { FileState } from './source/source-files.ts'

export interface Conversion {
  readonly source: ModelSource
  readonly options: GraphOptions
  /** The form of the files, recorded in the manifest. */
  readonly made: MadeForm
  /** Used where the form asks for it. */
  readonly measure: MeasureChannels
  readonly threads: number
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Writes the weights of a model, and the manifest when all of them are there. It resumes in a folder where it was
 * interrupted, with the same result.
 * @throws {CheckpointError} when there is not enough space
 * @throws {Error} when weights or files are unusable
 */
export async function convertInto(folder: string, conversion: Conversion): Promise<void> {
  const { source, options, made, report, signal } = conversion
  const graphs = byFileName(buildGraphs(source.config, source.checkpoint, options))
  const states = await source.listFiles()
  const identity = JSON.stringify({ converterVersion, ...made, states })
  const journal = await Journal.open(folder, identity)
  try {
    await journal.compareWithFiles(folder, signal)
    await writeMissing(folder, conversion, { graphs, states, journal })
    const files = checksumsOf(source, graphs, journal)
    for (const name of weightsFiles) await makeDurable(join(folder, name))
    const equalization = equalizationOf(graphs, journal)
    reportBalanced(equalization, report)
    const sources = states.map((state) => ({ ...state, sha256: journal.hashOf(state.name)! }))
    await writeManifest(folder, { ...made, sources, equalization, files })
  } finally {
    journal.close()
  }
}

interface Work {
  readonly graphs: GraphsByFile
  readonly states: readonly FileState[]
  readonly journal: Journal
}

async function writeMissing(
  folder: string,
  { made, measure, ...conversion }: Conversion,
  { graphs, states, journal }: Work,
): Promise<void> {
  const { source, options, threads, report, signal } = conversion
  const totalBytes = bytesToWrite(source, graphs)
  const doneBefore = weightsFiles.reduce((sum, file) => sum + sizeOf(journal.partsOf(file)), 0)
  const missing = await missingSpace(folder, totalBytes - doneBefore)
  if (missing !== undefined) throw new CheckpointError(`cannot convert: ${missing}`)
  if (made.calibration !== undefined) {
    await measureParts(folder, source, journal, { measure, threads, report, signal })
  }
  const isRounded = options.weights !== 'f32'
  const plan = { graphs, files: states.map(({ name }) => name), isRounded }
  const tasks = planTasks(source, plan, journal)
  const now = () => performance.now()
  const progress = new Progress({
    title: 'converting weights',
    totalBytes,
    doneBefore,
    report,
    now,
  })
  const events = runTasks(source, tasks, { options, folder, threads, totalBytes, signal })
  for await (const event of events) {
    journal.add(event)
    if (event.type === 'filled') progress.add(sizeOf(event.parts))
  }
  progress.end()
}

/** Bytes of all weights, without the gaps between them. */
function bytesToWrite(source: ModelSource, graphs: GraphsByFile): number {
  return Object.values(graphs)
    .flatMap((graph) => graph.spec.initializers)
    .reduce(
      (sum, tensor) => sum + ('offset' in tensor ? tensor.byteLength : 0),
      embeddingBytes(embeddingTensor(source.checkpoint)),
    )
}

function sizeOf(parts: readonly FilePart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** @throws {RangeError} when something was not written */
function checksumsOf(
  source: ModelSource,
  graphs: GraphsByFile,
  journal: Journal,
): Record<string, FileChecksums> {
  const checksums = Object.entries(graphs).map(([name, graph]) => {
    const parts = journal.partsOf(name)
    assertComplete(graph, parts)
    return [name, { bytes: graph.weightBytes, parts }] as const
  })
  const embeddings = {
    bytes: embeddingBytes(embeddingTensor(source.checkpoint)),
    parts: journal.partsOf(fileNames.embeddings),
  }
  return { [fileNames.embeddings]: embeddings, ...Object.fromEntries(checksums) }
}

async function makeDurable(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function equalizationOf(graphs: GraphsByFile, journal: Journal): Equalization {
  const parts = [...fillsByPart(graphs).keys()]
  return Object.assign({}, ...parts.map((part) => journal.shiftsOf(part) ?? {})) as Equalization
}

function reportBalanced(equalization: Equalization, report: Report): void {
  const links = Object.values(equalization)
  const channels = links.reduce((sum, shifts) => sum + Object.keys(shifts).length, 0)
  if (channels > 0) report(`balanced ${channels} outlier channels in ${links.length} places`)
}
