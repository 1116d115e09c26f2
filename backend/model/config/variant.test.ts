import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readGenerationConfig } from './generation-config.ts'
import { readVariant } from './variant.ts'

const nano = 'models/kimi-vl-nano'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'variant-'))
  for (const file of ['config.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    await cp(join(nano, file), join(folder, file))
  }
})
afterEach(() => rm(folder, { recursive: true }))

const generation = (content: unknown) =>
  writeFile(join(folder, 'generation_config.json'), JSON.stringify(content))
const named = (name: string, reasoning: 'auto' | 'on' | 'off' = 'auto') =>
  readVariant(folder, { name, reasoning })

describe('readVariant()', () => {
  it.each([
    ['moonshotai/Kimi-VL-A3B-Instruct', { temperature: 0.2 }, false],
    ['moonshotai/Kimi-VL-A3B-Thinking', { temperature: 0.6 }, true],
    ['/models/moonshotai--Kimi-VL-A3B-Thinking@main/', { temperature: 0.6 }, true],
    ['moonshotai/Kimi-VL-A3B-Thinking-2506', { temperature: 0.8 }, true],
    ['/hub/models--moonshotai--Kimi-VL-A3B-Thinking/snapshots/0a1b2c', { temperature: 0.6 }, true],
    ['/models/Kimi-VL-A3B-Thinking/checkpoint', { temperature: 0.6 }, true],
    ['/models/Kimi-VL-A3B-Instruct/weights/', { temperature: 0.2 }, false],
    ['models/kimi-vl-nano', {}, false],
    ['/Kimi-VL-A3B-Thinking/tests/kimi-vl-nano', {}, false],
    ['/thinking/about/kimi-vl', {}, false],
  ])('knows what the card of %s says', async (name, recommended, reasons) => {
    expect(await named(name)).toEqual({ recommended, reasons })
  })

  it('takes the word of the checkpoint’s files before that of the card', async () => {
    await generation({ temperature: 0.3, top_p: 0.95, top_k: null, max_length: 8192 })
    const { recommended } = await named('moonshotai/Kimi-VL-A3B-Instruct')
    expect(recommended).toEqual({ temperature: 0.3, top_p: 0.95 })
  })

  it('recognises a checkpoint of any name whose template handles thoughts', async () => {
    await writeFile(join(folder, 'chat_template.jinja'), "{{ text.split('◁/think▷')[1] }}")
    expect((await named('my-own')).reasons).toBe(true)
  })

  it('does what the operator says', async () => {
    expect((await named('moonshotai/Kimi-VL-A3B-Thinking', 'off')).reasons).toBe(false)
    expect((await named('my-own', 'on')).reasons).toBe(true)
  })
})

describe('readGenerationConfig()', () => {
  const read = () => readGenerationConfig(folder, 1280)

  it.each([
    [undefined, { stopIds: [], recommended: {} }],
    [{ eos_token_id: 1025 }, { stopIds: [1025], recommended: {} }],
    [{ eos_token_id: [1026, 1033] }, { stopIds: [1026, 1033], recommended: {} }],
    [
      { do_sample: false, temperature: 0.9 },
      { stopIds: [], recommended: { temperature: 0 } },
    ],
    [
      { do_sample: true, top_k: 50 },
      { stopIds: [], recommended: { top_k: 50 } },
    ],
  ])('reads %j', async (content, expected) => {
    if (content !== undefined) await generation(content)
    expect(await read()).toEqual(expected)
  })

  it.each([
    [{ temperature: 3 }, /\/generation_config.json: temperature: .*<=2/],
    [{ top_p: 'high', top_k: -1 }, /\/generation_config.json: top_p: .*; top_k: /],
    [{ eos_token_id: 1280 }, /\/generation_config.json: eos_token_id: the model has no token 1280/],
  ])('refuses %j', async (content, message) => {
    await generation(content)
    await expect(read()).rejects.toThrow(message)
  })
})
