import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { FloatType } from '../../checkpoint/half-float.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { WeightForm } from '../../graph/layers.ts'
import { encodeModel } from '../../graph/onnx-proto.ts'
import { writeWeights } from '../../graph/write-graph.ts'
import { buildDecoderGraph } from '../deepseek/decoder-graph.ts'
import { embeddingTensor, writeEmbeddings } from '../deepseek/embedding-table.ts'
import { checkInventory, expectedTensors } from './inventory.ts'
import type { ModelSource } from './model-source.ts'
import { buildVisionGraphs, type VisionParts } from '../moonvit/vision-graphs.ts'
import { sourceFileSchema } from './source-files.ts'

/**
 * Weights that share one scale. 64 read 6 % fewer bytes than 32 and lose little: on the nano model all golden texts and
 * 200 of 200 other pictures came out as in float32 with 32, 64 and 128.
 */
export const quantizedBlockSize = 64

/** The two forms a model can be converted to: 8-bit weights (the product) and float32 (for comparison). */
const weightForms = {
  q8: {
    decoder: { kind: 'q8-blocks', blockSize: quantizedBlockSize },
    // Its products have many rows, for which a scale a row is 1.4 times as fast; on nano the features' error grows from
    // 1.2 to 1.4 % and all texts hold.
    vision: { kind: 'q8-rows' },
  },
  f32: { decoder: { kind: 'f32' }, vision: { kind: 'f32' } },
} as const satisfies Record<string, Record<'decoder' | 'vision', WeightForm>>
export type WeightFormName = keyof typeof weightForms

export interface ModelFolderOptions {
  /** Where converted models live; this one gets a folder named after its source. */
  readonly modelsDir: string
  readonly weights: WeightFormName
  /** Sequences that can take part in one run. */
  readonly slots: number
  readonly onProgress?: (text: string) => void
}

/** A checkpoint in the form ONNX Runtime loads. */
export interface ModelFolder {
  readonly visionGraphFiles: VisionParts<string>
  readonly decoderGraphFile: string
  readonly embeddingFile: string
  readonly embeddingType: FloatType
}

/** Raised when the weights files of the same checkpoint would come out different. */
const converterVersion = 1

const manifestSchema = z.object({
  converterVersion: z.literal(converterVersion),
  weights: z.string(),
  /** SHA-256 over name, type, shape and place of every external tensor. */
  layout: z.string(),
  sources: z.array(sourceFileSchema),
})
type Manifest = z.infer<typeof manifestSchema>

/** In the order in which they are converted. */
type Graphs = VisionParts<BuiltGraph> & { readonly decoder: BuiltGraph }
type GraphName = keyof Graphs

const fileNames = {
  manifest: 'manifest.json',
  embeddings: 'embeddings.weights',
  weights: {
    embedding: 'vision-embedding.weights',
    blocks: 'vision-blocks.weights',
    projector: 'vision-projector.weights',
    decoder: 'decoder.weights',
  } satisfies Record<GraphName, string>,
}

/**
 * Finds or makes the converted form of a model. Weights are written once and reused as long as the source's files
 * and the layout stay the same; the small graph files are made anew at every call.
 * @throws {CheckpointError} when the source is not a usable Kimi-VL
 */
export async function prepareModelFolder(
  source: ModelSource,
  options: ModelFolderOptions,
): Promise<ModelFolder> {
  const { config, checkpoint } = source
  checkInventory(checkpoint.shapes, expectedTensors(config))
  const form = weightForms[options.weights]
  const { slots } = options
  const graphs: Graphs = {
    ...buildVisionGraphs({ config: config.vision_config, checkpoint, form: form.vision }),
    decoder: buildDecoderGraph(config.text_config, checkpoint, {
      form: form.decoder,
      lanes: slots,
    }),
  }
  const folder = path.join(options.modelsDir, `${source.name}-onnx-${options.weights}`)
  if (!(await isCurrent(folder, source, options, graphs))) {
    await convert(folder, source, options, graphs)
  }
  const write = (name: string, graph: GraphName) =>
    writeGraphFile(path.join(folder, `${name}.onnx`), graphs[graph], fileNames.weights[graph])
  return {
    visionGraphFiles: {
      embedding: await write('vision-embedding', 'embedding'),
      blocks: await write('vision-blocks', 'blocks'),
      projector: await write('vision-projector', 'projector'),
    },
    decoderGraphFile: await write(`decoder-${slots}-slots`, 'decoder'),
    embeddingFile: path.join(folder, fileNames.embeddings),
    embeddingType: embeddingTensor(checkpoint).type,
  }
}

async function isCurrent(
  folder: string,
  source: ModelSource,
  options: ModelFolderOptions,
  graphs: Graphs,
): Promise<boolean> {
  const manifest = await readManifest(folder)
  return (
    manifest !== undefined &&
    manifest.weights === options.weights &&
    manifest.layout === layoutHash(graphs) &&
    (await source.filesUnchanged(manifest.sources))
  )
}

/** A folder without a readable manifest of this version is as good as none: it is made anew. */
async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = path.join(folder, fileNames.manifest)
  if (!existsSync(file)) return undefined
  const text = await readFile(file, 'utf8')
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Writes everything into a folder of its own name, then puts it in place in one step. */
async function convert(
  folder: string,
  source: ModelSource,
  options: ModelFolderOptions,
  graphs: Graphs,
): Promise<void> {
  const partial = `${folder}.partial-${process.pid}`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  try {
    const report = progress(externalBytes(graphs), options)
    for (const [name, graph] of Object.entries(graphs) as [GraphName, BuiltGraph][]) {
      await writeWeights(graph, path.join(partial, fileNames.weights[name]), report)
    }
    await writeEmbeddings(source.checkpoint, path.join(partial, fileNames.embeddings))
    const manifest: Manifest = {
      converterVersion,
      weights: options.weights,
      layout: layoutHash(graphs),
      sources: await source.describeFiles(),
    }
    await writeFile(path.join(partial, fileNames.manifest), JSON.stringify(manifest, null, 2))
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** Bytes of all external tensors, without the gaps between them. */
function externalBytes(graphs: Graphs): number {
  return Object.values(graphs)
    .flatMap((graph: BuiltGraph) => graph.spec.initializers)
    .reduce((sum, tensor) => sum + ('offset' in tensor ? tensor.byteLength : 0), 0)
}

/** Tells each further tenth of the work. */
function progress(totalBytes: number, { onProgress }: ModelFolderOptions): (bytes: number) => void {
  let written = 0
  let told = 0
  return (bytes) => {
    written += bytes
    const tenths = Math.floor((10 * written) / totalBytes)
    if (tenths > told) onProgress?.(`converting weights: ${tenths * 10} %`)
    told = tenths
  }
}

function layoutHash(graphs: Graphs): string {
  const external = Object.values(graphs).map((graph: BuiltGraph) =>
    graph.spec.initializers.filter((tensor) => 'offset' in tensor),
  )
  return createHash('sha256').update(JSON.stringify(external)).digest('hex')
}

async function writeGraphFile(
  file: string,
  { spec }: BuiltGraph,
  weightsName: string,
): Promise<string> {
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, encodeModel(spec, weightsName))
  await rename(temporary, file)
  return file
}
