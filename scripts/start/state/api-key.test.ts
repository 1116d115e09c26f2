import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureApiKey } from './api-key.ts'
import { StartError } from '../start-error.ts'

const preset = '4f0c8ab8cb2d4b0f9d6d5b3e'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'api-key-'))
  path = join(folder, 'api-key')
})
afterEach(() => rm(folder, { recursive: true }))

describe('ensureApiKey()', () => {
  it('makes a key that nobody can guess, for its owner alone', async () => {
    const key = await ensureApiKey(path, undefined)
    expect(key).toMatch(/^dsk_[\w-]{43}$/)
    expect(await readFile(path, 'utf8')).toBe(`${key}\n`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('keeps the key made earlier', async () => {
    const first = await ensureApiKey(path, undefined)
    expect(await ensureApiKey(path, undefined)).toBe(first)
  })

  it('prefers the preset key and keeps it', async () => {
    await ensureApiKey(path, undefined)
    expect(await ensureApiKey(path, preset)).toBe(preset)
    expect(await ensureApiKey(path, undefined)).toBe(preset)
  })

  it('closes a file that others could read', async () => {
    await writeFile(path, `${preset}\n`)
    await chmod(path, 0o644)
    expect(await ensureApiKey(path, undefined)).toBe(preset)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('keeps one of the earlier form', async () => {
    const earlier = 'vk_q0w9e8r7t6y5u4i3o2p1-_aSdFgHjKlZxCvBnM01234'
    await writeFile(path, `${earlier}\n`)
    expect(await ensureApiKey(path, undefined)).toBe(earlier)
  })

  it('refuses one that can be guessed, and says what to do, unless another is preset', async () => {
    await writeFile(path, 'written-by-hand\n')
    const refusal = ensureApiKey(path, undefined)
    await expect(refusal).rejects.toThrow(StartError)
    await expect(refusal).rejects.toThrow(/api-key is too weak .*openssl rand -hex 24.*delete/)
    await expect(refusal).rejects.not.toThrow('written-by-hand')
    expect(await ensureApiKey(path, preset)).toBe(preset)
  })
})
