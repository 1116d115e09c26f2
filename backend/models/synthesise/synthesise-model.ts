import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'
import { missingSpace } from '../../../shared/node/files/free-space.ts'
import { Progress, type Report } from '../../../shared/progress/progress.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { ModelConfig } from '../../model/config/model-config.ts'
import { expectedTensors } from '../../model/convert/source/inventory.ts'
import {
  modelConfigOf,
  publishedConfig,
  publishedPreprocessor,
  type ModelSizes,
} from './published-config.ts'
import { planShards, shardIndex, type PlannedTensor, type Shard } from './shard-plan.ts'
import { synthesisedRanks, synthesisedTokenNames } from './tokenizer-files.ts'
import { writeShard } from './write-shard.ts'

interface SynthesiseOptions {
  readonly sizes: ModelSizes
  readonly report: Report
  readonly signal: AbortSignal
}

/** Every tensor of a published checkpoint with other sizes. */
export function publishedTensors(sizes: ModelSizes): PlannedTensor[] {
  return tensorsOf(modelConfigOf(sizes))
}

/** Every tensor of a checkpoint, in bfloat16, and buffers of frequencies in float32. */
export function tensorsOf(config: ModelConfig): PlannedTensor[] {
  const expected = expectedTensors(config)
  const { qk_rope_head_dim: rope, num_hidden_layers: layers } = config.text_config
  const frequencies = Array.from({ length: layers }, (_, layer) =>
    planned(
      `language_model.model.layers.${layer}.self_attn.rotary_emb.inv_freq`,
      [rope / 2],
      'F32',
    ),
  )
  return [...[...expected].map(([name, shape]) => planned(name, shape, 'BF16')), ...frequencies]
}

function planned(
  name: string,
  shape: readonly number[],
  dtype: PlannedTensor['dtype'],
): PlannedTensor {
  const byteLength = shape.reduce((product, n) => product * n, dtype === 'F32' ? 4 : 2)
  return { name, dtype, shape, byteLength }
}

/**
 * Writes a checkpoint with the names, types, shapes and files of Kimi-VL-A3B and seeded random weights, for tests of
 * everything around the weights. Resumes where it was interrupted; the folder appears when it is complete.
 * @throws {CheckpointError} when the folder exists or there is not enough space
 */
export async function synthesiseModel(
  folder: string,
  { sizes, report, signal }: SynthesiseOptions,
): Promise<void> {
  if (existsSync(folder)) throw new CheckpointError(`${folder} already exists`)
  const partial = `${folder}.partial`
  makeFolder(partial)
  const shards = planShards(publishedTensors(sizes))
  const missing = shards.filter(({ fileName }) => !existsSync(join(partial, fileName)))
  const [totalBytes, bytesLeft] = [bytesOf(shards), bytesOf(missing)]
  const problem = await missingSpace(partial, bytesLeft)
  if (problem !== undefined) throw new CheckpointError(`cannot write a checkpoint: ${problem}`)
  const progress = new Progress({
    title: 'writing weights',
    totalBytes,
    doneBefore: totalBytes - bytesLeft,
    report,
    now: () => performance.now(),
  })
  const config = publishedConfig(sizes)
  await writeSmallFiles(partial, sizes, shards)
  for (const shard of missing) {
    await writeShard(partial, shard, {
      ropeTheta: config.text_config.rope_theta,
      onBytes: (count) => progress.add(count),
      signal,
    })
  }
  progress.end()
  await rename(partial, folder)
}

function bytesOf(shards: readonly Shard[]): number {
  return shards
    .flatMap(({ tensors }) => tensors)
    .reduce((sum, { byteLength }) => sum + byteLength, 0)
}

async function writeSmallFiles(
  folder: string,
  sizes: ModelSizes,
  shards: readonly Shard[],
): Promise<void> {
  const json = (content: object) => `${JSON.stringify(content, null, 2)}\n`
  const files = {
    'config.json': json(publishedConfig(sizes)),
    'preprocessor_config.json': json(publishedPreprocessor),
    'tokenizer_config.json': json(synthesisedTokenNames()),
    'tiktoken.model': synthesisedRanks(),
    'model.safetensors.index.json': json(shardIndex(shards)),
  }
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content)
  }
}
