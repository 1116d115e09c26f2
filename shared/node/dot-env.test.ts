import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { withDotEnv } from './dot-env.ts'

describe('withDotEnv()', () => {
  it('lets the real environment win', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dot-env-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, '.env'), 'PORT=1111\nHOST="0.0.0.0"\n')
    expect(withDotEnv({ PORT: '2222' }, join(folder, '.env'))).toEqual({
      PORT: '2222',
      HOST: '0.0.0.0',
    })
  })

  it('does without a file', () => {
    expect(withDotEnv({ PORT: '2222' }, 'no/such/file')).toEqual({ PORT: '2222' })
  })
})
