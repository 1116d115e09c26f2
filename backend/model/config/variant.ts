import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecommendedRules } from '../../../shared/api/request/preset.ts'
import { readGenerationConfig } from './generation-config.ts'
import { readModelConfig } from './model-config.ts'
import { modelNames } from './model-name.ts'

/** The texts between which a model thinks before it answers. They are ordinary text, not control tokens. */
export const thoughtMarks = { begin: '◁think▷', end: '◁/think▷' } as const

/** What differs between checkpoints of the same architecture, apart from their sizes. */
export interface Variant {
  readonly recommended: RecommendedRules
  /** Whether it thinks before it answers. */
  readonly reasons: boolean
}

/** What only the model cards of the published variants say, not their files. The first name that matches counts. */
const published: readonly (readonly [name: RegExp, variant: Variant])[] = [
  [/kimi-vl-a3b-thinking-2506/i, { recommended: { temperature: 0.8 }, reasons: true }],
  [/kimi-vl-a3b-thinking/i, { recommended: { temperature: 0.6 }, reasons: true }],
  [/kimi-vl-a3b-instruct/i, { recommended: { temperature: 0.2 }, reasons: false }],
]

/** Files in which a chat template may stand. */
const templateFiles = ['chat_template.jinja', 'tokenizer_config.json']

interface VariantOptions {
  /** What it is called: its path, or its name on the hub. */
  readonly name: string
  /** Whether it thinks; `auto` goes by its names and its template. */
  readonly reasoning: 'auto' | 'on' | 'off'
}

/**
 * Which variant a checkpoint is. Its own files count before its name.
 * @throws {CheckpointError} when they cannot be used
 */
export async function readVariant(
  modelFolder: string,
  { name, reasoning }: VariantOptions,
): Promise<Variant> {
  const { text_config: text } = await readModelConfig(modelFolder)
  const { recommended } = await readGenerationConfig(modelFolder, text.vocab_size)
  const names = [name, modelFolder].flatMap(modelNames)
  const known = published.find(([pattern]) => names.some((own) => pattern.test(own)))?.[1]
  const thinks = known?.reasons === true || (await mentionsThoughts(modelFolder))
  return {
    recommended: { ...known?.recommended, ...recommended },
    reasons: reasoning === 'auto' ? thinks : reasoning === 'on',
  }
}

async function mentionsThoughts(modelFolder: string): Promise<boolean> {
  const read = (file: string) => readFile(join(modelFolder, file), 'utf8').catch(() => '')
  const texts = await Promise.all(templateFiles.map(read))
  return texts.some((text) => text.includes(thoughtMarks.end))
}
