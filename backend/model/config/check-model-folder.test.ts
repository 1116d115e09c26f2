import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkModelFolder } from './check-model-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-folder-'))
  await cp('models/kimi-vl-nano/config.json', join(folder, 'config.json'))
})
afterEach(() => rm(folder, { recursive: true }))

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 1\n`

describe('checkModelFolder()', () => {
  it('accepts the folder of a Kimi-VL', async () => {
    await expect(checkModelFolder(folder)).resolves.toBeUndefined()
  })

  it.each([
    ['/nowhere/at/all', /^there is no folder \/nowhere\/at\/all$/],
    ['README.md', /^README.md is not a folder$/],
    ['docs', /^config.json: cannot be read$/],
  ])('refuses %s', async (name, message) => {
    await expect(checkModelFolder(name)).rejects.toThrow(message)
  })

  it('names the model of another architecture, and nothing else of its configuration', async () => {
    await writeFile(join(folder, 'config.json'), '{"model_type":"qwen2_5_vl"}')
    await expect(checkModelFolder(folder)).rejects.toThrow(
      /^config.json is of a qwen2_5_vl model; only kimi_vl works$/,
    )
  })

  it('names every field at fault', async () => {
    const file = join(folder, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as { text_config: object }
    const text = { ...config.text_config, n_group: 8, hidden_size: 'wide' }
    await writeFile(file, JSON.stringify({ ...config, text_config: text }))
    await expect(checkModelFolder(folder)).rejects.toThrow(/hidden_size: .*; .*n_group: /)
  })

  it('recognises a Git LFS pointer', async () => {
    await writeFile(join(folder, 'config.json'), pointer)
    await expect(checkModelFolder(folder)).rejects.toThrow('config.json is a Git LFS pointer')
  })
})
