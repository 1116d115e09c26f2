import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { calibrationSetHash } from '../calibration/calibration-set.ts'
import {
  buildGraphs,
  byFileName,
  weightsFiles,
  type GraphOptions,
  type Graphs,
  type GraphsByFile,
} from './graphs/build-graphs.ts'
import { formName } from './graphs/weight-forms.ts'
import { isOfOtherVersion, readManifest, type MadeForm, type Manifest } from './manifest.ts'
import type { MeasureChannels } from './measure-parts.ts'
import type { ModelSource } from './source/model-source.ts'
import { writeModel } from './write-model.ts'

/** A converted model as found on disk. */
export interface ConvertedModel {
  readonly folder: string
  readonly graphs: GraphsByFile
  /** Undefined when the folder does not exist, or was not made from this source in this form. */
  readonly manifest: Manifest | undefined
}

interface FindOptions extends GraphOptions {
  /** Folder of converted models; this one gets a subfolder named after its source. */
  readonly modelsDir: string
}

/** Inspects the converted form of a model without creating or changing anything. */
export async function findConverted(
  source: ModelSource,
  options: FindOptions,
): Promise<ConvertedModel> {
  const graphs = buildGraphs(source.config, source.checkpoint, options)
  const folder = folderOf(source, options)
  const manifest = await currentManifest(folder, madeOf(source, graphs, options), source)
  return { folder, graphs: byFileName(graphs), manifest }
}

interface ConvertOptions extends FindOptions {
  readonly threads: number
  readonly measure: MeasureChannels
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Makes sure that a folder holds the weights of these graphs.
 * @throws {CheckpointError} when it cannot be written
 */
export async function ensureConverted(
  source: ModelSource,
  graphs: Graphs,
  options: ConvertOptions,
): Promise<{ readonly folder: string; readonly manifest: Manifest }> {
  const { threads, measure, report, signal } = options
  const folder = folderOf(source, options)
  const made = madeOf(source, graphs, options)
  const find = () => currentManifest(folder, made, source)
  const found = await find()
  if (found !== undefined) return { folder, manifest: found }
  if (await isOfOtherVersion(folder)) {
    report(`${folder} was made by another version: converting the checkpoint again`)
  }
  const form = graphOptionsOf(options)
  const conversion = { source, options: form, made, measure, threads, report, signal }
  await writeModel(folder, conversion, async () => (await find()) !== undefined)
  const written = await find()
  if (written !== undefined) return { folder, manifest: written }
  throw new CheckpointError(`${source.name} changed while it was converted`)
}

function folderOf(source: ModelSource, options: FindOptions): string {
  return join(options.modelsDir, `${source.name}-onnx-${formName(options)}`)
}

/** Without the functions of the others, so that it can be sent to threads. */
function graphOptionsOf(options: GraphOptions): GraphOptions {
  const { weights, slots, exact, blockSize, layout, cacheType } = options
  return {
    weights,
    slots,
    ...(exact && { exact }),
    ...(blockSize && { blockSize }),
    ...(layout && { layout }),
    ...(cacheType && { cacheType }),
  }
}

function madeOf(source: ModelSource, graphs: Graphs, options: GraphOptions): MadeForm {
  const { weights, layout } = options
  // A device does not round activations, and float32 nothing at all.
  const isMeasured = weights !== 'f32' && layout !== 'device' && source.readTokens !== undefined
  return {
    weights: formName(options),
    layout: layoutHash(graphs),
    ...(isMeasured && { calibration: calibrationSetHash() }),
  }
}

/** @returns undefined when the folder was not made from these files in this form */
async function currentManifest(
  folder: string,
  { weights, layout, calibration }: MadeForm,
  source: ModelSource,
): Promise<Manifest | undefined> {
  const manifest = await readManifest(folder)
  const isCurrent =
    manifest !== undefined &&
    manifest.weights === weights &&
    manifest.layout === layout &&
    manifest.calibration === calibration &&
    weightsFiles.every((name) => name in manifest.files) &&
    (await source.filesUnchanged(manifest.sources))
  return isCurrent ? manifest : undefined
}

function layoutHash(graphs: Graphs): string {
  const external = Object.values(graphs).map((graph: BuiltGraph) =>
    graph.spec.initializers.filter((tensor) => 'offset' in tensor),
  )
  return createHash('sha256').update(JSON.stringify(external)).digest('hex')
}
