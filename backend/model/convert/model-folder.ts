import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import type { FloatType } from '../../checkpoint/half-float.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel } from '../../graph/onnx-proto.ts'
import { buildDecoderGraph } from '../deepseek/decoder-graph.ts'
import type { DeviceGraphs } from '../deepseek/device/device-graph.ts'
import type { CacheType } from '../deepseek/device/paged-attention.ts'
import { embeddingTensor } from '../deepseek/embedding-table.ts'
import { buildVisionGraphs, type VisionParts } from '../moonvit/vision-graphs.ts'
import { lockConversion } from './conversion-lock.ts'
import { allExpertsGraph, deviceGraphs } from './device-graphs.ts'
import { checkInventory, expectedTensors } from './inventory.ts'
import { readManifest, type Manifest } from './manifest.ts'
import type { ModelSource } from './model-source.ts'
import { removeAbandoned } from './partial-folder.ts'
import { findDamage } from './verify-files.ts'
import { componentForms, formName, type FormChoice } from './weight-forms.ts'
import { writeModel } from './write-model.ts'

export interface ModelFolderOptions extends FormChoice {
  /** Folder of converted models; this one gets a subfolder named after its source. */
  readonly modelsDir: string
  /** The most sequences in one run. */
  readonly slots: number
  /** Of the device's cache; `float16` unless given. */
  readonly cacheType?: CacheType
  /** Receives lines for the operator. */
  readonly onProgress?: Report
  /** Aborts a conversion, which then leaves nothing behind. */
  readonly signal?: AbortSignal
}

/** A checkpoint in the form that ONNX Runtime loads. */
export interface ModelFolder {
  readonly visionGraphFiles: VisionParts<string>
  readonly decoder: CpuDecoderFiles | DeviceDecoderFiles
  readonly embeddingFile: string
  readonly embeddingType: FloatType
}

interface CpuDecoderFiles {
  readonly layout: 'cpu'
  readonly graphFile: string
}

/** A device's graphs are not files: their weights are inputs, and without them graphs are small. */
interface DeviceDecoderFiles {
  readonly layout: 'device'
  readonly graphs: DeviceGraphs
  readonly cacheType: CacheType
  readonly weightsFile: string
}

/** In the order in which they are converted. */
type Graphs = VisionParts<BuiltGraph> & { readonly decoder: BuiltGraph }
type GraphName = keyof Graphs

/** Half the memory of float32, and as far as the nano model shows, nothing is lost. */
const defaultCacheType: CacheType = 'float16'

const fileNames = {
  embeddings: 'embeddings.weights',
  weights: {
    embedding: 'vision-embedding.weights',
    blocks: 'vision-blocks.weights',
    projector: 'vision-projector.weights',
    decoder: 'decoder.weights',
  } satisfies Record<GraphName, string>,
}

const weightsFiles = [fileNames.embeddings, ...Object.values(fileNames.weights)]

/**
 * Finds or makes the converted form of a model. Weights are written once and reused as long as the source's files,
 * the layout and every written byte are unchanged; damaged ones are made again. The small graph files are made on every
 * call.
 * @throws {CheckpointError} when the source is not a usable Kimi-VL, or the converted form cannot be written
 */
export async function prepareModelFolder(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ModelFolder> {
  const { config, checkpoint } = source
  checkInventory(checkpoint.shapes, expectedTensors(config))
  const graphs = buildGraphs(source, options)
  const folder = folderOf(source, options)
  await prepareWeights(folder, source, options, graphs)
  const write = (name: string, graph: GraphName) =>
    writeGraphFile(join(folder, `${name}.onnx`), graphs[graph], fileNames.weights[graph])
  return {
    visionGraphFiles: {
      embedding: await write('vision-embedding', 'embedding'),
      blocks: await write('vision-blocks', 'blocks'),
      projector: await write('vision-projector', 'projector'),
    },
    decoder: await decoderFiles(folder, source, options, graphs.decoder),
    embeddingFile: join(folder, fileNames.embeddings),
    embeddingType: embeddingTensor(checkpoint).type,
  }
}

async function decoderFiles(
  folder: string,
  { config: { text_config: config }, checkpoint }: ModelSource,
  options: ModelFolderOptions,
  graph: BuiltGraph,
): Promise<ModelFolder['decoder']> {
  const weightsName = fileNames.weights.decoder
  if (options.layout === 'device') {
    const { cacheType = defaultCacheType } = options
    return {
      layout: 'device',
      graphs: deviceGraphs(config, checkpoint, { ...options, cacheType }, graph),
      cacheType,
      weightsFile: join(folder, weightsName),
    }
  }
  const file = join(folder, `decoder-${options.slots}-slots.onnx`)
  return { layout: 'cpu', graphFile: await writeGraphFile(file, graph, weightsName) }
}

function buildGraphs(
  { config, checkpoint }: Pick<ModelSource, 'config' | 'checkpoint'>,
  options: ModelFolderOptions,
): Graphs {
  const forms = componentForms(options)
  return {
    ...buildVisionGraphs(config.vision_config, checkpoint, forms),
    decoder:
      options.layout === 'device'
        ? allExpertsGraph(config.text_config, checkpoint, {
            cacheType: defaultCacheType,
            ...options,
          })
        : buildDecoderGraph(config.text_config, checkpoint, { forms, lanes: options.slots }),
  }
}

/** A converted model as found on disk. */
export interface ConvertedModel {
  readonly folder: string
  /** Weights file -> the graph whose weights it holds. */
  readonly graphs: Readonly<Record<string, BuiltGraph>>
  /** Undefined when the folder does not exist, or was not made from this source in this form. */
  readonly manifest: Manifest | undefined
}

/** Inspects the converted form of a model without creating or changing anything. */
export async function findConverted(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ConvertedModel> {
  const graphs = buildGraphs(source, options)
  const folder = folderOf(source, options)
  const made = { weights: formName(options), layout: layoutHash(graphs) }
  const manifest = await readManifest(folder)
  const isCurrent = manifest !== undefined && (await isMadeFrom(manifest, made, source))
  return { folder, graphs: byFileName(graphs), manifest: isCurrent ? manifest : undefined }
}

function folderOf(
  source: ModelSource,
  options: FormChoice & Pick<ModelFolderOptions, 'modelsDir'>,
): string {
  return join(options.modelsDir, `${source.name}-onnx-${formName(options)}`)
}

/**
 * Makes sure that `folder` holds the weights of these graphs, every byte as it was written. Of several processes that
 * find it missing or damaged, one converts, and the others wait for the result.
 */
async function prepareWeights(
  folder: string,
  source: ModelSource,
  options: ModelFolderOptions,
  graphs: Graphs,
): Promise<void> {
  const { modelsDir, signal, onProgress: report = () => {} } = options
  for (const name of await removeAbandoned(modelsDir, Date.now())) {
    report(`removed ${join(modelsDir, name)}, left behind by an interrupted conversion`)
  }
  const made = { weights: formName(options), layout: layoutHash(graphs) }
  const inspect = () => inspectWeights(folder, source, made, signal)
  if ((await inspect()) === 'whole') return
  const lock = await lockConversion(folder, { report, signal })
  try {
    // Another process may have converted it in the meantime.
    const found = await inspect()
    if (found === 'whole') return
    if (found !== 'missing') {
      report(`${join(folder, found.damage)}: converting the checkpoint again`)
      await rm(folder, { recursive: true })
    }
    await writeModel(folder, {
      source,
      made,
      isRounded: options.weights !== 'f32',
      graphsOf: (checkpoint: Checkpoint) =>
        byFileName(buildGraphs({ config: source.config, checkpoint }, options)),
      embeddingsFile: fileNames.embeddings,
      report,
      signal,
    })
    await checkWritten(folder, signal)
  } finally {
    lock.release()
  }
}

/** @returns `missing` also for a folder that was made from something else; its damage names a file */
async function inspectWeights(
  folder: string,
  source: ModelSource,
  made: Pick<Manifest, 'weights' | 'layout'>,
  signal: AbortSignal | undefined,
): Promise<'whole' | 'missing' | { readonly damage: string }> {
  const found = await readManifest(folder)
  if (found === undefined || !(await isMadeFrom(found, made, source))) return 'missing'
  const damage = await findDamage(folder, found.files, signal)
  return damage === undefined ? 'whole' : { damage }
}

async function isMadeFrom(
  manifest: Manifest,
  { weights, layout }: Pick<Manifest, 'weights' | 'layout'>,
  source: ModelSource,
): Promise<boolean> {
  return (
    manifest.weights === weights &&
    manifest.layout === layout &&
    weightsFiles.every((name) => name in manifest.files) &&
    (await source.filesUnchanged(manifest.sources))
  )
}

/** Reads everything back before it is loaded. @throws {CheckpointError} when the disk does not hold what was written */
async function checkWritten(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const damage = await findDamage(folder, (await readManifest(folder))?.files ?? {}, signal)
  if (damage === undefined) return
  throw new CheckpointError(`the disk does not keep what is written: ${join(folder, damage)}`)
}

function byFileName(graphs: Graphs): Record<string, BuiltGraph> {
  const names = Object.entries(fileNames.weights) as [GraphName, string][]
  return Object.fromEntries(names.map(([graph, file]) => [file, graphs[graph]]))
}

function layoutHash(graphs: Graphs): string {
  const external = Object.values(graphs).map((graph: BuiltGraph) =>
    graph.spec.initializers.filter((tensor) => 'offset' in tensor),
  )
  return createHash('sha256').update(JSON.stringify(external)).digest('hex')
}

/** Leaves a file alone that is as it should be, so that a converted model may be on a read-only disk. */
async function writeGraphFile(
  file: string,
  { spec }: BuiltGraph,
  weightsName: string,
): Promise<string> {
  const bytes = encodeModel(spec, weightsName)
  const present = await readFile(file).catch(() => undefined)
  if (present?.equals(bytes)) return file
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, bytes)
  await rename(temporary, file)
  return file
}
