import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { missingSpace } from './free-space.ts'

describe('missingSpace()', () => {
  it('names the folder, what is needed and what is free', async () => {
    const missing = await missingSpace(tmpdir(), 9e18)
    expect(missing).toContain(`9000000 TB are needed in ${tmpdir()}, and `)
    expect(missing).toMatch(/ and [\d.]+ ([kMGT]B|bytes) are free$/)
  })

  it('says nothing when there is room', async () => {
    expect(await missingSpace(tmpdir(), 1)).toBeUndefined()
  })
})
