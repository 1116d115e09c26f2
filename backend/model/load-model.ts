import { CheckpointError } from '../checkpoint/checkpoint-error.ts'
import { withWeightsFile } from '../graph/weight-reader.ts'
import type { Accelerator } from './accelerator/accelerator.ts'
import { FeatureMemory } from './accelerator/feature-memory.ts'
import type { ModelConfig, TextConfig } from './config/model-config.ts'
import type { CpuDecoderFiles } from './convert/graph-files.ts'
import {
  findModelFolder,
  prepareModelFolder,
  type ModelFolder,
  type ModelFolderOptions,
} from './convert/model-folder.ts'
import { openModelSource, type ModelSource } from './convert/source/model-source.ts'
import { openCpuDecoder } from './deepseek/cpu-decoder.ts'
import { openDividedDecoder } from './deepseek/divided-decoder.ts'
import type { CacheInfo, Decoder } from './deepseek/decoder-part.ts'
import { openDeviceDecoder } from './deepseek/device/open-device-decoder.ts'
import { EmbeddingTable } from './deepseek/embedding-table.ts'
import { formNeeds, type FormNeeds } from './host-needs.ts'
import type { Model, ModelInfo } from './model.ts'
import { openDeviceVision } from './moonvit/device/open-device-vision.ts'
import { measureChannels } from './streamed/measure-channels.ts'
import { openVisionTower, type VisionTower } from './moonvit/vision-tower.ts'

/** Open slots for each sequence in a step: others wait with the tokens they have read. */
const slotsPerSequence = 2

/**
 * Tokens of pictures whose features a device has memory for: 134 MB of the full model's, 16 of the largest pictures. Features
 * of more come to the host.
 */
const featureTokens = 16_384

/** Where the decoder's last layers run, when that is not the CPU. */
interface DeviceOptions {
  readonly accelerator: Accelerator
  /** Layers, from the first on, that stay on the CPU, in stages of `stageLayers`; none unless given. */
  readonly cpuLayers?: number | undefined
  /** Tokens for which the device's memory is set aside, over all sequences and the prefix cache. */
  readonly cacheTokens: number
}

export interface OpenModelOptions extends Omit<
  ModelFolderOptions,
  'layout' | 'cacheType' | 'cpuLayers' | 'measure'
> {
  /** Chunk length in tokens from which attention expands keys and values on the CPU; for tests and measurements. */
  readonly expandedFromTokens?: number
  /** The model closes it, also when it cannot be opened. */
  readonly device?: DeviceOptions | undefined
  /** Called before anything is converted or loaded. If it throws, loading ends. */
  readonly admit?: (needs: FormNeeds) => void
}

export interface LoadModelOptions extends OpenModelOptions {
  /** A Hugging Face checkpoint folder. */
  readonly checkpointDir: string
}

/**
 * Loads a Kimi-VL checkpoint for the CPU or a device, after converting it if necessary.
 * @throws {CheckpointError} when the checkpoint is not usable
 */
export async function loadModel(options: LoadModelOptions): Promise<Model> {
  const { checkpointDir } = options
  const source = await naming(checkpointDir, openModelSource(checkpointDir))
  try {
    return await naming(checkpointDir, openModel(source, options))
  } finally {
    await source.checkpoint.close()
  }
}

/** Adds the folder to a checkpoint's errors, which name only the file. */
async function naming<Result>(checkpointDir: string, result: Promise<Result>): Promise<Result> {
  try {
    return await result
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    throw new CheckpointError(`${checkpointDir}: ${error.message}`, { cause: error })
  }
}

/** Loads a model from any source; the source is not needed afterwards. */
export async function openModel(source: ModelSource, options: OpenModelOptions): Promise<Model> {
  const folderOptions = { ...options, ...layoutFor(options), measure: measureChannels }
  const needs = formNeeds(source, folderOptions)
  options.admit?.(needs)
  // A device can be opened only once, so its weights must be verified first.
  if (options.device !== undefined) {
    const folder = await prepareModelFolder(source, folderOptions)
    return openFolder(folder, source, options, await firstLayers(source, options))
  }
  const folder = await findModelFolder(source, folderOptions)
  // Both read the same files; nothing is served before all of them are verified.
  const [checked, opened] = await Promise.allSettled([
    folder.check(needs.chosen.weightBytes),
    openFolder(folder, source, options),
  ])
  const isWhole = checked.status === 'fulfilled' && checked.value === undefined
  if (isWhole && opened.status === 'fulfilled') return opened.value
  if (opened.status === 'fulfilled') await opened.value.close()
  if (checked.status === 'rejected') throw checked.reason
  if (checked.value === undefined) throw (opened as PromiseRejectedResult).reason
  await folder.discard(checked.value)
  return openFolder(await prepareModelFolder(source, folderOptions), source, options)
}

/**
 * The layers that stay on the CPU while the others are on a device, in the form for the CPU: no other map of layers
 * needs a new conversion.
 */
async function firstLayers(
  source: ModelSource,
  options: OpenModelOptions,
): Promise<CpuDecoderFiles | undefined> {
  const cpuLayers = options.device?.cpuLayers ?? 0
  if (cpuLayers === 0) return undefined
  const onCpu = { ...options, layout: 'cpu', cpuLayers, measure: measureChannels } as const
  const { decoder } = await prepareModelFolder(source, onCpu)
  if (decoder.layout === 'cpu') return decoder
  throw new RangeError('the first layers are laid out for a device')
}

/** @param first layers that stay on the CPU while the others are on a device */
async function openFolder(
  folder: ModelFolder,
  source: ModelSource,
  options: OpenModelOptions,
  first?: CpuDecoderFiles,
): Promise<Model> {
  const { text_config: text } = source.config
  options.onProgress?.('loading the model')
  const embeddings = new EmbeddingTable(folder.embeddingFile, {
    type: folder.embeddingType,
    rows: text.vocab_size,
    hiddenSize: text.hidden_size,
  })
  // Features are added to embeddings, so they stay on the device only where the first layer is there.
  const tokens = first === undefined ? featureTokens : undefined
  const device = options.device && (await withFeatureMemory(options.device, text, tokens))
  const [vision, decoder] = await Promise.all([
    openVision(folder.vision, source, { ...options, device }),
    openDecoder({ first, rest: folder.decoder }, text, embeddings, { ...options, device }),
  ])
  return {
    ...decoderOf(decoder),
    info: modelInfo(source.config, options.slots, decoder.cacheInfo),
    beginImage: (image) => vision.begin(image),
    async close() {
      await Promise.all([decoder.close(), vision.close()])
      await options.device?.accelerator.close()
      embeddings.close()
    },
  }
}

/** A decoder as part of a model. */
export function decoderOf(decoder: Decoder): Omit<Decoder, 'cacheInfo' | 'close'> {
  return {
    openSlot: () => decoder.openSlot(),
    closeSlot: (slot) => decoder.closeSlot(slot),
    forkSlot: (slot, tokens) => decoder.forkSlot(slot, tokens),
    truncateSlot: (slot, tokens) => decoder.truncateSlot(slot, tokens),
    slotLength: (slot) => decoder.slotLength(slot),
    keepRows: (slot, from, to) => decoder.keepRows(slot, from, to),
    restoreRows: (slot, rows) => decoder.restoreRows(slot, rows),
    dropRows: (rows) => decoder.dropRows(rows),
    step: (rows) => decoder.step(rows),
  }
}

/** Where weights are exact, the cache is too. */
function layoutFor({ weights, device }: OpenModelOptions) {
  if (device === undefined) return { layout: 'cpu' } as const
  const isHalf = weights !== 'f32' && device.accelerator.hasFloat16
  const cacheType = isHalf ? 'float16' : 'float32'
  return { layout: 'device', cacheType, cpuLayers: device.cpuLayers } as const
}

interface OpenedOptions extends Omit<OpenModelOptions, 'device'> {
  readonly device: (DeviceOptions & { readonly features: FeatureMemory | undefined }) | undefined
}

/** @param tokens for which there is memory; undefined where features come to the host */
async function withFeatureMemory(
  device: DeviceOptions,
  { hidden_size: width }: TextConfig,
  tokens: number | undefined,
) {
  if (tokens === undefined) return { ...device, features: undefined }
  return { ...device, features: await FeatureMemory.open(device.accelerator, tokens, width) }
}

async function openVision(
  files: ModelFolder['vision'],
  { config, preprocessor }: ModelSource,
  { threads, device }: OpenedOptions,
): Promise<VisionTower> {
  const featureWidth = config.text_config.hidden_size
  const setup = { config: config.vision_config, preprocessor, featureWidth }
  if (files.layout === 'cpu') {
    return openVisionTower({ ...setup, graphFiles: files.graphFiles, threads })
  }
  if (device === undefined) throw new RangeError('the vision tower is laid out for a device')
  const { accelerator, features } = device
  return openDeviceVision({ ...setup, ...files, accelerator, memory: features })
}

interface DecoderFiles {
  /** Of the layers that stay on the CPU while the others are on a device. */
  readonly first: CpuDecoderFiles | undefined
  /** Of all others. */
  readonly rest: ModelFolder['decoder']
}

async function openDecoder(
  { first, rest }: DecoderFiles,
  config: TextConfig,
  embeddings: EmbeddingTable,
  { device, ...options }: OpenedOptions,
): Promise<Decoder> {
  const slots = slotsPerSequence * options.slots
  const setup = { ...options, lanes: options.slots, slots, config, embeddings }
  if (rest.layout === 'cpu') return openCpuDecoder({ ...setup, ...rest })
  if (device === undefined) throw new RangeError('the decoder is laid out for a device')
  return withWeightsFile(rest.weightsFile, (readWeight) => {
    const onDevice = { ...device, ...rest, readWeight }
    if (first === undefined) return openDeviceDecoder({ ...onDevice, slots, config, embeddings })
    return openDividedDecoder({ ...setup, ...first, device: onDevice })
  })
}

/** What the engine has to know of a model. */
export function modelInfo(
  { text_config: text, vision_config: vision, media_placeholder_token_id }: ModelConfig,
  slots: number,
  cacheInfo: CacheInfo,
): ModelInfo {
  return {
    vocabSize: text.vocab_size,
    hiddenSize: text.hidden_size,
    contextTokens: text.max_position_embeddings,
    slots,
    patchSize: vision.patch_size,
    mergeSize: vision.merge_kernel_size[0],
    imageTokenId: media_placeholder_token_id,
    ...cacheInfo,
  }
}
