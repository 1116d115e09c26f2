import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { externalsOf } from '../../graph/device-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { encodeModel, type ExternalInitializer } from '../../graph/onnx-proto.ts'
import type { TextConfig } from '../config/model-config.ts'
import type { DeviceGraphs } from '../deepseek/device/network/device-graph.ts'
import type { CacheType } from '../deepseek/device/network/paged-attention.ts'
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
  defaultCacheType,
  fileNames,
  type GraphOptions,
  type Graphs,
} from './graphs/build-graphs.ts'
import { deviceGraphs, deviceVisionGraphs } from './graphs/device-graphs.ts'
import { componentForms } from './graphs/weight-forms.ts'
import type { ModelSource } from './source/model-source.ts'
import { readSideBySide, type ReadPlaces } from './verify/read-parts.ts'

export interface GraphFileOptions extends GraphOptions {
  /** Cores that may be used. */
  readonly threads: number
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
}

/** What the vision tower is opened from. */
export type VisionFiles = CpuVisionFiles | DeviceVisionFiles

/** What the decoder is opened from. */
export type DecoderFiles = CpuDecoderFiles | DeviceDecoderFiles

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

/** Writes what opens the vision tower, or plans it for a device. */
export async function visionFiles(
  folder: string,
  { config, checkpoint }: ModelSource,
  options: GraphFileOptions,
  { graphs, equalization }: { readonly graphs: Graphs; readonly equalization: Equalization },
): Promise<VisionFiles> {
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
  readonly decoder: DecoderFiles
  /** Tensors of the weights file that are read, in about the order in which they are loaded. */
  readonly read: readonly ExternalInitializer[]
}

/** The same of the decoder. */
export async function decoderFiles(
  folder: string,
  { config: { text_config: config }, checkpoint }: ModelSource,
  options: GraphFileOptions,
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
  const read = readSideBySide(cut.map((stage) => externalsOf(stage.graph.spec)))
  return { decoder: { layout: 'cpu', stages }, read }
}

/** For layers that are on the CPU while the others are on a device, only their own weights are read. */
export function readOf(
  { layout, cpuLayers }: GraphFileOptions,
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
  { stageLayers, cpuLayers, threads }: GraphFileOptions,
  whole: BuiltGraph,
): Cut {
  const counts = cpuLayers === undefined ? stageLayersFor(whole, all, threads) : [cpuLayers]
  return { counts: stageLayers ?? counts, end: cpuLayers ?? all, whole }
}

/** Leaves a file that is up to date alone, so that a converted model may be on a read-only disk. */
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
