import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readServedModel } from './served-model.ts'

const nano = 'models/kimi-vl-nano'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'served-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** The small files of a variant: nano's, with the numbers that matter here. */
async function variant(inTokenLimit: number): Promise<void> {
  const change = async (file: string, edit: (content: Record<string, unknown>) => object) => {
    const content = JSON.parse(await readFile(join(nano, file), 'utf8')) as Record<string, unknown>
    await writeFile(join(folder, file), JSON.stringify({ ...content, ...edit(content) }))
  }
  await cp(join(nano, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'))
  await change('config.json', ({ text_config: text }) => ({
    text_config: { ...(text as object), max_position_embeddings: 131_072 },
  }))
  await change('preprocessor_config.json', () => ({ in_token_limit: inTokenLimit }))
}

describe('readServedModel()', () => {
  it.each([
    ['Instruct', 4_096, { temperature: 0.2 }, false, 1_024, 1_338],
    ['Thinking', 4_096, { temperature: 0.6 }, true, 1_024, 1_338],
    ['Thinking-2506', 16_384, { temperature: 0.8 }, true, 4_096, 4_464],
  ])(
    'reports what %s is, from its own files',
    async (name, limit, recommended, reasons, tokens, most) => {
      await variant(limit)
      const config = {
        model: { checkpointDir: folder },
        modelAliases: ['kimi-vl'],
        reasoning: 'auto',
      } as Parameters<typeof readServedModel>[1]
      expect(await readServedModel(`moonshotai/Kimi-VL-A3B-${name}`, config)).toMatchObject({
        id: `Kimi-VL-A3B-${name}`,
        contextTokens: 131_072,
        imageTokens: tokens,
        mostImageTokens: most,
        recommended,
        reasons,
      })
    },
  )
})
