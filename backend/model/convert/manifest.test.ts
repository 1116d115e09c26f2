import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readManifest } from './manifest.ts'

it('names a manifest that cannot be read, and what to remove', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manifest-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'manifest.json'))
  await expect(readManifest(folder)).rejects.toThrow(
    `${join(folder, 'manifest.json')} cannot be read (EISDIR): remove ${folder}, and the next start converts the model again`,
  )
})
