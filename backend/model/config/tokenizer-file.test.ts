import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readTokenizerFile } from './tokenizer-file.ts'

const files = ['tiktoken.model', 'tokenizer_config.json', 'config.json']
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))
  await Promise.all(files.map((file) => cp(`models/kimi-vl-nano/${file}`, join(folder, file))))
})
afterEach(() => rm(folder, { recursive: true }))

async function change(file: string, edit: (text: string) => string): Promise<void> {
  await writeFile(join(folder, file), edit(await readFile(join(folder, file), 'utf8')))
}

describe('readTokenizerFile()', () => {
  it.each(files)('names %s when it is missing', async (file) => {
    await rm(join(folder, file))
    await expect(readTokenizerFile(folder)).rejects.toThrow(`${file}: cannot be read`)
  })

  it('names the line of a gap in the ranks', async () => {
    await change('tiktoken.model', (text) => text.replace(/^(\S+) 300$/m, '$1 301'))
    await expect(readTokenizerFile(folder)).rejects.toThrow('tiktoken.model: line 301')
  })

  it('names the line that is not base64', async () => {
    await change('tiktoken.model', (text) => text.replace(/^AQ==/m, 'A?=='))
    await expect(readTokenizerFile(folder)).rejects.toThrow('tiktoken.model: line 2')
  })

  it('misses a single byte', async () => {
    await change('tiktoken.model', (text) => text.replace(/^AQ==/m, 'AQEBAQEB'))
    await expect(readTokenizerFile(folder)).rejects.toThrow('tiktoken.model: has 255 of the 256')
  })

  it('names the field that is missing', async () => {
    await change('tokenizer_config.json', (text) => text.replace('added_tokens_decoder', 'other'))
    await expect(readTokenizerFile(folder)).rejects.toThrow(
      'tokenizer_config.json: added_tokens_decoder',
    )
  })

  it('refuses a special token inside the base vocabulary', async () => {
    await change('tokenizer_config.json', (text) => text.replace('"1026"', '"1000"'))
    await expect(readTokenizerFile(folder)).rejects.toThrow('added_tokens_decoder.1000')
  })

  it('refuses two special tokens of one name', async () => {
    await change('tokenizer_config.json', (text) => text.replace('"[UNK]"', '"[PAD]"'))
    await expect(readTokenizerFile(folder)).rejects.toThrow('added_tokens_decoder.1279')
  })

  it('refuses a model whose image placeholder is another token', async () => {
    await change('config.json', (text) => text.replace(': 1045', ': 1044'))
    await expect(readTokenizerFile(folder)).rejects.toThrow('media_placeholder_token_id: 1044')
  })

  it('reports a file that is not JSON', async () => {
    await change('config.json', () => '{')
    await expect(readTokenizerFile(folder)).rejects.toThrow('config.json: is not valid JSON')
  })
})
