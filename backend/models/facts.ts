import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../../shared/progress/amounts.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { readVariant } from '../model/config/variant.ts'
import type { ModelSource } from '../model/convert/source/model-source.ts'
import { latentNormEpsilon } from '../model/deepseek/attention/latent-attention.ts'

/** Small files whose content distinguishes releases of the model. */
const comparedFiles = [
  'config.json',
  'preprocessor_config.json',
  'generation_config.json',
  'tokenizer_config.json',
  'tiktoken.model',
  'chat_template.jinja',
]

/** Tokens for which different sources state different ids. */
const tokenNames = [
  '[BOS]',
  '[EOS]',
  '[PAD]',
  '[UNK]',
  '[EOT]',
  '<|start_header_id|>',
  '<|end_header_id|>',
  '<|im_end|>',
  '<|media_pad|>',
]

/** What no file of a checkpoint settles, and how this server handles it. */
const decidedHere = [
  `kv_a_layernorm has an epsilon of ${latentNormEpsilon}, as in the makers' code; other ports take rms_norm_eps`,
  'pictures become RGB before they are resized, transparency on white',
]

/** Facts about a checkpoint that no documentation settles, as lines: what its own files say. */
export async function checkpointFacts(folder: string, source: ModelSource): Promise<string[]> {
  const { config, preprocessor, checkpoint } = source
  return [
    `tensors: ${checkpoint.shapes.size} (${typesOf(checkpoint)})`,
    `context: ${config.text_config.max_position_embeddings} tokens; rms_norm_eps: ${config.text_config.rms_norm_eps}; image: ${preprocessor.inTokenLimit} patches`,
    await tokens(folder),
    await variantOf(folder),
    ...(await inverseFrequencies(source)),
    `generation_config.json: ${await compactJson(join(folder, 'generation_config.json'))}`,
    ...(await Promise.all(comparedFiles.map((name) => fileLine(folder, name)))),
    ...decidedHere.map((line) => `in no file: ${line}`),
  ]
}

function typesOf(checkpoint: Checkpoint): string {
  const counts = new Map<string, number>()
  for (const type of checkpoint.types.values()) counts.set(type, (counts.get(type) ?? 0) + 1)
  const bias = [...checkpoint.types].find(([name]) => name.endsWith('.e_score_correction_bias'))
  const all = [...counts].map(([type, count]) => `${count} ${type}`).join(', ')
  return bias === undefined ? all : `${all}; e_score_correction_bias ${bias[1]}`
}

async function tokens(folder: string): Promise<string> {
  const { specialTokens, baseVocabulary, vocabSize } = await readTokenizerFile(folder)
  const ids = tokenNames.map((name) => `${name} ${specialTokens.get(name) ?? 'none'}`)
  return `tokens: ${baseVocabulary} of text, ${vocabSize} in all; ${ids.join(', ')}`
}

async function variantOf(folder: string): Promise<string> {
  const { reasons, recommended } = await readVariant(folder, { name: folder, reasoning: 'auto' })
  return `thinks before it answers: ${reasons ? 'yes' : 'no'}; preset: ${JSON.stringify(recommended)}`
}

/** Rotary frequencies are computed from `rope_theta`; if a checkpoint stores them, they should be the same. */
async function inverseFrequencies({ checkpoint, config }: ModelSource): Promise<string[]> {
  const name = [...checkpoint.shapes.keys()].find((key) => key.endsWith('.rotary_emb.inv_freq'))
  if (name === undefined) return []
  const { rope_theta: theta, qk_rope_head_dim: width } = config.text_config
  const values = await checkpoint.tensor(name).readRows(0, width / 2)
  const difference = values.reduce((largest, value, i) => {
    const expected = theta ** ((-2 * i) / width)
    return Math.max(largest, Math.abs(value - expected) / expected)
  }, 0)
  return [`inv_freq: within ${difference.toExponential(1)} of those of rope_theta ${theta}`]
}

async function compactJson(file: string): Promise<string> {
  if (!existsSync(file)) return 'none'
  return JSON.stringify(JSON.parse(await readFile(file, 'utf8')))
}

async function fileLine(folder: string, name: string): Promise<string> {
  const file = join(folder, name)
  if (!existsSync(file)) return `${name}: none`
  const hash = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  return `${name}: ${formatBytes((await stat(file)).size)}, sha256 ${hash}`
}
