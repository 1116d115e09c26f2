import { basename } from 'node:path'
import type { BackendConfig } from '../config.ts'
import type { ServedModel } from '../http/routes/models.ts'
import { readModelConfig } from '../model/config/model-config.ts'
import { readPreprocessorConfig } from '../model/config/preprocessor-config.ts'
import { readVariant } from '../model/config/variant.ts'
import { mostImageTokens } from '../processor/image/image-size.ts'

/**
 * What clients learn about the model.
 * @param name its path or its name on the hub, as configured
 * @throws {CheckpointError} when its files cannot be used
 */
export async function readServedModel(
  name: string,
  { model, modelAliases, reasoning }: Pick<BackendConfig, 'model' | 'modelAliases' | 'reasoning'>,
): Promise<ServedModel> {
  const { text_config: text } = await readModelConfig(model.checkpointDir)
  const sizes = await readPreprocessorConfig(model.checkpointDir)
  const id = basename(name)
  return {
    id,
    aliases: modelAliases.filter((alias) => alias !== id),
    createdAt: Math.floor(Date.now() / 1_000),
    contextTokens: text.max_position_embeddings,
    imageTokens: sizes.inTokenLimit / sizes.mergeSize ** 2,
    mostImageTokens: mostImageTokens(sizes),
    ...(await readVariant(model.checkpointDir, { name, reasoning })),
  }
}
