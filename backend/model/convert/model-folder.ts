import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { FloatType } from '../../checkpoint/half-float.ts'
import { externalsOf } from '../../graph/device-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel, type ExternalInitializer } from '../../graph/onnx-proto.ts'
import type { TextConfig } from '../config/model-config.ts'
import type { DeviceGraphs } from '../deepseek/device/network/device-graph.ts'
import type { CacheType } from '../deepseek/device/network/paged-attention.ts'
import { embeddingTensor } from '../deepseek/embedding-table.ts'
import {
  cutGraph,
  isWhole,
  stageLayersFor,
  type Cut,
  type StageGraph,
} from '../deepseek/stages/cut-graph.ts'
import type { Equalization } from '../equalize/find-outliers.ts'
import type { DeviceVisionGraphs } from '../moonvit/device/device-vision-graphs.ts'
import type { VisionParts } from '../moonvit/network/vision-graphs.ts'
import {
  balancedVision,
  buildGraphs,
  byFileName,
  defaultCacheType,
  fileNames,
  weightsFiles,
  type GraphOptions,
  type Graphs,
  type GraphsByFile,
} from './graphs/build-graphs.ts'
import { checkFiles } from './verify/check-files.ts'
import { digestsRead, type ReadPlaces } from './verify/read-parts.ts'
import { lockConversion } from './conversion-lock.ts'
import { deviceGraphs, deviceVisionGraphs } from './graphs/device-graphs.ts'
import { checkInventory, expectedTensors } from './source/inventory.ts'
import { readManifest, type Manifest } from './manifest.ts'
import type { ModelSource } from './source/model-source.ts'
import { componentForms, formName } from './graphs/weight-forms.ts'
import { writeModel } from './write-model.ts'

export interface ModelFolderOptions extends GraphOptions {
  /** Folder of converted models; this one gets a subfolder named after its source. */
  readonly modelsDir: string
  /** Cores that may be used. */
  readonly threads: number
  /** Receives lines for the operator. */
  readonly onProgress?: Report
  /**
   * Layers of each of the decoder's stages on the CPU; unless given, those of `cpuLayers` are one, and all layers as many
   * stages as load fastest.
   */
  readonly stageLayers?: readonly number[] | undefined
  /**
   * Layers, from the first on, that are on the CPU while the rest are on a device; each layout has its own then. Unless given,
   * this one has all.
   */
  readonly cpuLayers?: number | undefined
  /** File descriptor for the progress of checking and loading; see `loading-line.ts`. */
  readonly loadingPipe?: number
  /** Aborts a conversion, which the next call continues. */
  readonly signal?: AbortSignal
}

/** A checkpoint in the form that ONNX Runtime loads. */
export interface ModelFolder {
  readonly vision: CpuVisionFiles | DeviceVisionFiles
  readonly decoder: CpuDecoderFiles | DeviceDecoderFiles
  readonly embeddingFile: string
  readonly embeddingType: FloatType
  /**
   * Compares the weights that are read with what was written: where the decoder is divided, those of the layers in this layout.
   * @param loadedBytes memory that weights loaded at the same time will take; their progress is reported along
   * @returns the damage found, for the operator; undefined when there is none
   */
  check(loadedBytes?: number): Promise<string | undefined>
  /** Removes the folder because of that damage, unless another process has made it anew. */
  discard(damage: string): Promise<void>
}

interface CpuVisionFiles {
  readonly layout: 'cpu'
  readonly graphFiles: VisionParts<string>
}

interface DeviceVisionFiles {
  readonly layout: 'device'
  readonly graphs: DeviceVisionGraphs
  /** What the weights files were written for. */
  readonly written: VisionParts<BuiltGraph>
  readonly weightsFiles: VisionParts<string>
}

export interface CpuDecoderFiles {
  readonly layout: 'cpu'
  /** Graph files. */
  readonly stages: readonly StageGraph<string>[]
}

/** A device's graphs are not files: their weights are inputs, and without them graphs are small. */
interface DeviceDecoderFiles {
  readonly layout: 'device'
  readonly graphs: DeviceGraphs
  readonly cacheType: CacheType
  readonly weightsFile: string
}

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
  const found = await findModelFolder(source, options)
  const damage = await found.check()
  if (damage === undefined) return found
  await found.discard(damage)
  const made = await findModelFolder(source, options)
  const problem = await made.check()
  if (problem === undefined) return made
  throw new CheckpointError(`the disk does not keep what is written: ${problem}`)
}

/**
 * The same for a caller that checks the weights while it loads them.
 * @throws {CheckpointError} when the source is not a usable Kimi-VL, or the converted form cannot be written
 */
export async function findModelFolder(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ModelFolder> {
  const { config, checkpoint } = source
  const { onProgress: report = () => {}, signal = new AbortController().signal } = options
  const { loadingPipe: pipe } = options
  checkInventory(checkpoint.shapes, expectedTensors(config))
  const graphs = buildGraphs(config, checkpoint, options)
  const folder = folderOf(source, options)
  const found = await findWeights(folder, source, { ...options, report, signal }, graphs)
  const { equalization } = found
  const { decoder, read } = await decoderFiles(folder, source, options, graphs.decoder)
  const digests = ({ files }: Pick<Manifest, 'files'>) => digestsRead(files, readOf(options, read))
  return {
    vision: await visionFiles(folder, source, options, { graphs, equalization }),
    decoder,
    embeddingFile: join(folder, fileNames.embeddings),
    embeddingType: embeddingTensor(checkpoint).type,
    async check(weightBytes) {
      const loading = pipe === undefined ? undefined : { pipe, weightBytes }
      const damage = await checkFiles(folder, digests(found), signal, loading)
      return damage === undefined ? undefined : join(folder, damage)
    },
    async discard(damage) {
      const lock = await lockConversion(folder, { report, signal })
      try {
        // Another process may have made it anew in the meantime.
        const now = digests((await readManifest(folder)) ?? found)
        if ((await checkFiles(folder, now, signal)) === undefined) return
        report(`${damage}: converting the checkpoint again`)
        await rm(folder, { recursive: true, force: true })
      } finally {
        lock.release()
      }
    },
  }
}

async function visionFiles(
  folder: string,
  { config, checkpoint }: ModelSource,
  options: ModelFolderOptions,
  { graphs, equalization }: { readonly graphs: Graphs; readonly equalization: Equalization },
): Promise<ModelFolder['vision']> {
  const names = fileNames.weights
  if (options.layout === 'device') {
    return {
      layout: 'device',
      graphs: deviceVisionGraphs(config.vision_config, checkpoint, options),
      written: graphs,
      weightsFiles: {
        embedding: join(folder, names.embedding),
        blocks: join(folder, names.blocks),
        projector: join(folder, names.projector),
      },
    }
  }
  const vision = balancedVision(config, checkpoint, options, equalization)
  const write = (name: string, graph: keyof typeof vision) =>
    writeGraphFile(join(folder, `${name}.onnx`), vision[graph], names[graph])
  return {
    layout: 'cpu',
    graphFiles: {
      embedding: await write('vision-embedding', 'embedding'),
      blocks: await write('vision-blocks', 'blocks'),
      projector: await write('vision-projector', 'projector'),
    },
  }
}

interface OpenedDecoder {
  readonly decoder: ModelFolder['decoder']
  /** Tensors of the weights file that are read. */
  readonly read: readonly ExternalInitializer[]
}

async function decoderFiles(
  folder: string,
  { config: { text_config: config }, checkpoint }: ModelSource,
  options: ModelFolderOptions,
  graph: BuiltGraph,
): Promise<OpenedDecoder> {
  const weightsName = fileNames.weights.decoder
  if (options.layout === 'device') {
    const { cacheType = defaultCacheType, cpuLayers } = options
    const choice = { ...options, cacheType }
    const graphs = deviceGraphs(config, checkpoint, choice, graph, cpuLayers)
    const weightsFile = join(folder, weightsName)
    const read = externalsOf(graphs.allExperts.spec)
    return { decoder: { layout: 'device', graphs, cacheType, weightsFile }, read }
  }
  const { slots } = options
  const graphs = { forms: componentForms(options), lanes: slots }
  const stages: StageGraph<string>[] = []
  const cut = cutGraph(config, checkpoint, graphs, cutOf(config, options, graph))
  for (const stage of cut) {
    const { layers } = stage
    const part = isWhole(layers, config) ? '' : `-layers-${layers.from}-${layers.to - 1}`
    const file = join(folder, `decoder-${slots}-slots${part}.onnx`)
    stages.push({ layers, graph: await writeGraphFile(file, stage.graph, weightsName) })
  }
  const read = cut.flatMap((stage) => externalsOf(stage.graph.spec))
  return { decoder: { layout: 'cpu', stages }, read }
}

/** Of layers that are on the CPU while the others are on a device, nothing but their own weights is read. */
function readOf(
  { layout, cpuLayers }: ModelFolderOptions,
  decoder: OpenedDecoder['read'],
): ReadPlaces {
  const { decoder: decoderFile, ...vision } = fileNames.weights
  const isPart = layout !== 'device' && cpuLayers !== undefined
  const whole = isPart ? [] : [fileNames.embeddings, ...Object.values(vision)]
  return {
    ...Object.fromEntries(whole.map((name) => [name, 'all'])),
    [decoderFile]: decoder,
  }
}

function cutOf(
  { num_hidden_layers: all }: TextConfig,
  { stageLayers, cpuLayers, threads }: ModelFolderOptions,
  whole: BuiltGraph,
): Cut {
  const counts = cpuLayers === undefined ? stageLayersFor(whole, all, threads) : [cpuLayers]
  return { counts: stageLayers ?? counts, end: cpuLayers ?? all, whole }
}

/** A converted model as found on disk. */
export interface ConvertedModel {
  readonly folder: string
  readonly graphs: GraphsByFile
  /** Undefined when the folder does not exist, or was not made from this source in this form. */
  readonly manifest: Manifest | undefined
}

/** Inspects the converted form of a model without creating or changing anything. */
export async function findConverted(
  source: ModelSource,
  options: GraphOptions & Pick<ModelFolderOptions, 'modelsDir'>,
): Promise<ConvertedModel> {
  const graphs = buildGraphs(source.config, source.checkpoint, options)
  const folder = folderOf(source, options)
  const manifest = await currentManifest(folder, madeOf(graphs, options), source)
  return { folder, graphs: byFileName(graphs), manifest }
}

function folderOf(
  source: ModelSource,
  options: GraphOptions & Pick<ModelFolderOptions, 'modelsDir'>,
): string {
  return join(options.modelsDir, `${source.name}-onnx-${formName(options)}`)
}

/** Makes sure that `folder` holds the weights of these graphs. */
async function findWeights(
  folder: string,
  source: ModelSource,
  options: ModelFolderOptions & { readonly report: Report; readonly signal: AbortSignal },
  graphs: Graphs,
): Promise<Manifest> {
  const { threads, report, signal } = options
  const made = madeOf(graphs, options)
  const find = () => currentManifest(folder, made, source)
  const found = await find()
  if (found !== undefined) return found
  const conversion = { source, options: graphOptionsOf(options), made, threads, report, signal }
  await writeModel(folder, conversion, async () => (await find()) !== undefined)
  const written = await find()
  if (written !== undefined) return written
  throw new CheckpointError(`${source.name} changed while it was converted`)
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

function madeOf(graphs: Graphs, options: GraphOptions): Pick<Manifest, 'weights' | 'layout'> {
  return { weights: formName(options), layout: layoutHash(graphs) }
}

/** @returns undefined when the folder was not made from these files in this form */
async function currentManifest(
  folder: string,
  { weights, layout }: Pick<Manifest, 'weights' | 'layout'>,
  source: ModelSource,
): Promise<Manifest | undefined> {
  const manifest = await readManifest(folder)
  const isCurrent =
    manifest !== undefined &&
    manifest.weights === weights &&
    manifest.layout === layout &&
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
