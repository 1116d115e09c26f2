import { runDecoder } from './decoder.ts'
import { EmbeddingTable } from './embedding-table.ts'
import { KvCache } from './kv-cache.ts'
import { prepareModelFolder, type ModelFolderOptions } from './model-folder.ts'
import type { Model, ModelInfo } from './model.ts'
import type { ModelConfig } from './model-config.ts'
import { createPatchNormalizer } from './normalize-patches.ts'
import { readPreprocessorConfig } from './preprocessor-config.ts'
import { createSession } from './sessions.ts'
import { encodeImage } from './vision-encoder.ts'

export interface LoadModelOptions extends ModelFolderOptions {
  /** Cores the model may use. */
  readonly threads: number
}

/**
 * Loads a Kimi-VL checkpoint on the CPU, converting it first when that was not done yet.
 * @throws {CheckpointError} when the checkpoint is not usable
 */
export async function loadModel(options: LoadModelOptions): Promise<Model> {
  const folder = await prepareModelFolder(options)
  const { text_config: text, vision_config: vision } = folder.config
  const normalize = createPatchNormalizer(await readPreprocessorConfig(options.checkpointDir))
  options.onProgress?.('loading the vision tower')
  const visionSession = await createSession(folder.visionGraphFile, options.threads)
  options.onProgress?.('loading the decoder')
  const session = await createSession(folder.decoderGraphFile, options.threads)
  const embeddings = new EmbeddingTable(
    folder.embeddingFile,
    folder.embeddingType,
    text.hidden_size,
  )
  const latentWidth = text.kv_lora_rank + text.qk_rope_head_dim
  const cache = new KvCache(options.slots, text.num_hidden_layers, latentWidth)
  const visionParts = { session: visionSession, config: vision, normalize }
  const parts = { session, config: text, embeddings, cache, slots: options.slots }
  return {
    info: modelInfo(folder.config, options.slots),
    encodeImage: (image) => encodeImage(visionParts, image),
    openSlot: () => cache.open(),
    closeSlot: (slot) => cache.close(slot),
    slotLength: (slot) => cache.length(slot),
    step: (rows) => runDecoder(parts, rows),
    async close() {
      await Promise.all([session.release(), visionSession.release()])
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
  }
}
