import { runDecoder } from './deepseek/decoder.ts'
import { EmbeddingTable } from './deepseek/embedding-table.ts'
import { defaultExpandedFromTokens } from './deepseek/lane-plan.ts'
import { KvCache } from './deepseek/kv-cache.ts'
import {
  findModelFolder,
  prepareModelFolder,
  type ModelFolder,
  type ModelFolderOptions,
} from './convert/model-folder.ts'
import type { Model, ModelInfo } from './model.ts'
import { CheckpointError } from '../checkpoint/checkpoint-error.ts'
import type { ModelConfig } from './config/model-config.ts'
import { openModelSource, type ModelSource } from './convert/model-source.ts'
import { createSession } from './sessions.ts'
import { slotGrowthTokens } from './deepseek/slot-memory.ts'
import { openVisionTower } from './moonvit/vision-tower.ts'

export interface OpenModelOptions extends ModelFolderOptions {
  /** Chunk length in tokens from which attention expands keys and values; for tests and measurements. */
  readonly expandedFromTokens?: number
}

export interface LoadModelOptions extends OpenModelOptions {
  /** A Hugging Face checkpoint folder. */
  readonly checkpointDir: string
}

/**
 * Loads a Kimi-VL checkpoint for the CPU, after converting it if necessary.
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
  const folder = await findModelFolder(source, options)
  options.onProgress?.('loading the model')
  // Both read the same files; nothing is served before all of them are known to be whole.
  const [checked, opened] = await Promise.allSettled([
    folder.check(),
    openFolder(folder, source, options),
  ])
  const isWhole = checked.status === 'fulfilled' && checked.value === undefined
  if (isWhole && opened.status === 'fulfilled') return opened.value
  if (opened.status === 'fulfilled') await opened.value.close()
  if (checked.status === 'rejected') throw checked.reason
  if (checked.value === undefined) throw (opened as PromiseRejectedResult).reason
  await folder.discard(checked.value)
  return openFolder(await prepareModelFolder(source, options), source, options)
}

async function openFolder(
  folder: ModelFolder,
  source: ModelSource,
  options: OpenModelOptions,
): Promise<Model> {
  const { text_config: text, vision_config } = source.config
  const [vision, session] = await Promise.all([
    openVisionTower({
      graphFiles: folder.visionGraphFiles,
      threads: options.threads,
      config: vision_config,
      preprocessor: source.preprocessor,
      featureWidth: text.hidden_size,
    }),
    createSession(folder.decoderGraphFile, options),
  ])
  const embeddings = new EmbeddingTable(folder.embeddingFile, {
    type: folder.embeddingType,
    rows: text.vocab_size,
    hiddenSize: text.hidden_size,
  })
  const cache = new KvCache({
    slots: 2 * options.slots,
    layerCount: text.num_hidden_layers,
    width: text.kv_lora_rank + text.qk_rope_head_dim,
    maxTokens: text.max_position_embeddings,
  })
  const parts = {
    session,
    config: text,
    embeddings,
    cache,
    lanes: options.slots,
    expandedFromTokens: options.expandedFromTokens ?? defaultExpandedFromTokens,
  }
  return {
    info: modelInfo(source.config, options.slots),
    beginImage: (image) => vision.begin(image),
    openSlot: () => cache.open(),
    closeSlot: (slot) => cache.close(slot),
    forkSlot: (slot, tokens) => cache.fork(slot, tokens),
    truncateSlot: (slot, tokens) => cache.truncate(slot, tokens),
    slotLength: (slot) => cache.length(slot),
    keepRows: (slot, from, to) => cache.keep(slot, from, to),
    restoreRows: (slot, rows) => cache.restore(slot, rows),
    dropRows: (rows) => cache.drop(rows),
    step: (rows) => runDecoder(parts, rows),
    async close() {
      await Promise.all([session.release(), vision.close()])
      cache.release()
      embeddings.close()
    },
  }
}

function modelInfo(config: ModelConfig, slots: number): ModelInfo {
  const { text_config: text, vision_config: vision } = config
  return {
    vocabSize: text.vocab_size,
    hiddenSize: text.hidden_size,
    contextTokens: text.max_position_embeddings,
    slots,
    patchSize: vision.patch_size,
    mergeSize: vision.merge_kernel_size[0],
    imageTokenId: config.media_placeholder_token_id,
    cacheBytesPerToken:
      text.num_hidden_layers *
      (text.kv_lora_rank + text.qk_rope_head_dim) *
      Float32Array.BYTES_PER_ELEMENT,
    slotGrowthTokens,
  }
}
