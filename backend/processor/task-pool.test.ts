import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { createTaskPool } from './task-pool.ts'

it('gives back the memory that the pixels of a picture took', async () => {
  const side = 9_000
  const pixelBytes = 3 * side ** 2
  const background = '#408020'
  const file = await sharp({ create: { width: side, height: side, channels: 3, background } })
    .png()
    .toBuffer()
  const pool = createTaskPool({
    workerFile: fileURLToPath(new URL('./worker.ts', import.meta.url)),
    modelFolder: 'models/kimi-vl-nano',
    threads: 1,
    tenantWeights: new Map(),
  })
  try {
    const caller = { tenant: 'anyone', signal: new AbortController().signal }
    await pool.encodeTexts(['ready'], caller)
    const before = process.memoryUsage.rss()
    const { ok } = await pool.prepareImage(Uint8Array.from(file), caller)
    expect(ok).toBe(true)
    expect(process.memoryUsage.rss() - before).toBeLessThan(pixelBytes / 2)
  } finally {
    await pool.close()
  }
}, 30_000)
