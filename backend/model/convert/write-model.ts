import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { missingSpace } from '../../../shared/node/free-space.ts'
import { Progress } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { FileDigest } from '../../graph/weights-file.ts'
import { writeWeights } from '../../graph/write-graph.ts'
import { embeddingBytes, embeddingTensor, writeEmbeddings } from '../deepseek/embedding-table.ts'
import { equalizedCheckpoint } from '../equalize/equalized-checkpoint.ts'
import { bytesToScan, findOutliers, type Equalization } from '../equalize/find-outliers.ts'
import { writeManifest, type Manifest } from './manifest.ts'
import type { ModelSource } from './model-source.ts'
import { partialFolderOf } from './partial-folder.ts'

type Graphs = Readonly<Record<string, BuiltGraph>>

interface Conversion {
  readonly source: ModelSource
  /** The form of the files, recorded in the manifest. */
  readonly made: Pick<Manifest, 'weights' | 'layout'>
  /** Whether weights are rounded, so that channels have to be balanced before. */
  readonly isRounded: boolean
  /** Weights file -> the graph whose weights it holds, as `checkpoint` has them. */
  readonly graphsOf: (checkpoint: Checkpoint) => Graphs
  readonly embeddingsFile: string
  readonly report: (line: string) => void
  readonly signal: AbortSignal | undefined
}

/**
 * Writes the weights of a model into a temporary folder, which then replaces `folder` in one step.
 * @throws {CheckpointError} when there is not enough space or the files cannot be written; partial files are removed
 */
export async function writeModel(folder: string, conversion: Conversion): Promise<void> {
  const partial = partialFolderOf(folder)
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  try {
    const { source, made, isRounded, graphsOf, signal } = conversion
    const missing = await missingSpace(partial, totalBytes(source, graphsOf(source.checkpoint)))
    if (missing !== undefined) throw new CheckpointError(`cannot convert: ${missing}`)
    const equalization = isRounded ? await findAndTell(conversion) : {}
    const equalized = equalizedCheckpoint(source.checkpoint, source.config, equalization)
    const files = await writeFiles(partial, conversion, graphsOf(equalized))
    const sources = await source.describeFiles(signal)
    await writeManifest(partial, { ...made, sources, equalization, files })
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
  } catch (error) {
    conversion.signal?.throwIfAborted()
    if (error instanceof CheckpointError) throw error
    const problem = (error as Error).message
    throw new CheckpointError(`cannot convert into ${partial}: ${problem}`, { cause: error })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

async function findAndTell({ source, report, signal }: Conversion): Promise<Equalization> {
  const { config, checkpoint } = source
  const progress = new Progress({
    title: 'looking for outlier channels',
    totalBytes: bytesToScan(config, checkpoint),
    report,
    now: () => performance.now(),
  })
  const onBytes = (count: number) => progress.add(count)
  const found = await findOutliers(config, checkpoint, { onBytes, ...(signal && { signal }) })
  const links = Object.values(found)
  const channels = links.reduce((sum, shifts) => sum + Object.keys(shifts).length, 0)
  if (channels > 0) report(`balanced ${channels} outlier channels in ${links.length} places`)
  return found
}

async function writeFiles(
  partial: string,
  { source, embeddingsFile, report, signal }: Conversion,
  graphs: Graphs,
): Promise<Record<string, FileDigest>> {
  const progress = new Progress({
    title: 'converting weights',
    totalBytes: totalBytes(source, graphs),
    report,
    now: () => performance.now(),
  })
  const options = { onBytes: (count: number) => progress.add(count), ...(signal && { signal }) }
  const files: Record<string, FileDigest> = {}
  for (const [name, graph] of Object.entries(graphs)) {
    files[name] = await writeWeights(graph, join(partial, name), options)
  }
  const embeddings = embeddingTensor(source.checkpoint)
  const target = join(partial, embeddingsFile)
  files[embeddingsFile] = await writeEmbeddings(embeddings, target, options)
  progress.end()
  return files
}

/** Bytes of all weights, without the gaps between them. */
function totalBytes(source: ModelSource, graphs: Graphs): number {
  return Object.values(graphs)
    .flatMap((graph) => graph.spec.initializers)
    .reduce(
      (sum, tensor) => sum + ('offset' in tensor ? tensor.byteLength : 0),
      embeddingBytes(embeddingTensor(source.checkpoint)),
    )
}
