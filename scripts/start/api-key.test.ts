import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureApiKey } from './api-key.ts'

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
    expect(key).toMatch(/^vk_[\w-]{43}$/)
    expect(await readFile(path, 'utf8')).toBe(`${key}\n`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('keeps the key made earlier', async () => {
    const first = await ensureApiKey(path, undefined)
    expect(await ensureApiKey(path, undefined)).toBe(first)
  })

  it('prefers the preset key and keeps it', async () => {
    await ensureApiKey(path, undefined)
    expect(await ensureApiKey(path, 'preset')).toBe('preset')
    expect(await ensureApiKey(path, undefined)).toBe('preset')
  })

  it('closes a file that others could read', async () => {
    await writeFile(path, 'written-by-hand\n')
    await chmod(path, 0o644)
    expect(await ensureApiKey(path, undefined)).toBe('written-by-hand')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })
})
