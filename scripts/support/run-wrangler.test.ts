import { expect, it } from 'vitest'
import { runWrangler } from './run-wrangler.ts'

it('gives what wrangler prints, and ends it when asked to', { timeout: 120_000 }, async () => {
  expect(await runWrangler(['--version'])).toMatch(/\d+\.\d+\.\d+/)
  await expect(runWrangler(['--version'], AbortSignal.abort())).rejects.toThrow(
    'wrangler --version failed',
  )
})
