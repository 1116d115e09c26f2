import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseModelConfig } from '../../../backend/model/config/model-config.ts'
import {
  publishedConfig,
  publishedPreprocessor,
  type ModelSizes,
} from '../../../backend/models/synthesise/published-config.ts'
import { planShards, shardIndex } from '../../../backend/models/synthesise/shard-plan.ts'
import { tensorsOf } from '../../../backend/models/synthesise/synthesise-model.ts'
import { writeShard } from '../../../backend/models/synthesise/write-shard.ts'

/** As `describe model synthesise` writes it, but for the vocabulary, whose two tables would have most of the bytes. */
export async function writeTrueShapes(
  folder: string,
  sizes: ModelSizes,
  vocabulary: number,
): Promise<{ readonly placeholder: number }> {
  const published = publishedConfig(sizes)
  // Special tokens are the last ids, here as well.
  const fromEnd = (id: number) => id - published.vocab_size + vocabulary
  const { text_config: text } = published
  const placeholder = fromEnd(published.media_placeholder_token_id)
  const config = {
    ...published,
    vocab_size: vocabulary,
    media_placeholder_token_id: placeholder,
    text_config: {
      ...text,
      vocab_size: vocabulary,
      bos_token_id: fromEnd(text.bos_token_id),
      eos_token_id: fromEnd(text.eos_token_id),
      pad_token_id: fromEnd(text.pad_token_id),
    },
  }
  const shards = planShards(tensorsOf(parseModelConfig(config)))
  await mkdir(folder, { recursive: true })
  const files = {
    'config.json': config,
    'preprocessor_config.json': publishedPreprocessor,
    'model.safetensors.index.json': shardIndex(shards),
  }
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), JSON.stringify(content))
  }
  const { signal } = new AbortController()
  for (const shard of shards) {
    await writeShard(folder, shard, { ropeTheta: text.rope_theta, onBytes() {}, signal })
  }
  return { placeholder }
}
