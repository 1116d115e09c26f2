import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { withDotEnv } from './dot-env.ts'

async function written(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dot-env-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '.env'), text)
  return join(folder, '.env')
}

describe('withDotEnv()', () => {
  it('lets the real environment win', async () => {
    const path = await written('PORT=1111\nHOST="0.0.0.0"\n')
    expect(withDotEnv({ PORT: '2222' }, path)).toEqual({ PORT: '2222', HOST: '0.0.0.0' })
  })

  it('does not let an empty value hide what the file says', async () => {
    const path = await written('PORT=1111\n')
    expect(withDotEnv({ PORT: '' }, path)).toEqual({ PORT: '1111' })
  })

  it('reads a file with a byte order mark', async () => {
    const path = await written('\uFEFFPORT=1111\r\nHOST=0.0.0.0\r\n')
    expect(withDotEnv({}, path)).toEqual({ PORT: '1111', HOST: '0.0.0.0' })
  })

  it('does without a file', () => {
    expect(withDotEnv({ PORT: '2222' }, 'no/such/file')).toEqual({ PORT: '2222' })
  })
})
