import { describe, expect, it } from 'vitest'
import type { HostNeeds } from '../model/host-needs.ts'
import type { FreeMemory } from './free-memory.ts'
import { checkMemory, memoryText } from './memory-check.ts'
import { memoryParts, sumOf, type MemorySettings } from './memory-parts.ts'

/** The full-sized model's, in round numbers. */
const needs: HostNeeds = {
  weightBytes: 18e9,
  largestWeightBytes: 0.3e9,
  cacheBytesPerToken: 62_208,
  stepBytesPerToken: 10_240,
  stagesBytes: 100e6,
  contextTokens: 131_072,
  imageBytes: 100e6,
}

const form = { chosen: needs, rounded: undefined }

const settings: MemorySettings = {
  slots: 4,
  kvTokens: undefined,
  imageCacheBytes: 256 * 2 ** 20,
  uploadBytes: 0,
  decodeBytes: 0,
}

const free = (bytes: number, limitedBy: FreeMemory['limitedBy'] = 'machine') => ({
  bytes,
  limitedBy,
})

describe('checkMemory()', () => {
  it('adds up what is needed in any case', () => {
    const { neededBytes, parts } = checkMemory({ ...form, settings, free: free(64e9) })
    const { programs, ...ofModel } = parts
    expect(ofModel).toEqual({
      weights: 18.3e9,
      cache: 1024 * 62_208,
      images: 200e6,
      keptImages: 268_435_456,
      steps: 1024 * 10_240 + 100e6,
    })
    expect(neededBytes).toBe(sumOf(parts))
    expect(programs).toBeGreaterThan(0)
  })

  it('counts the cache as it is set: tokens, or the context of every slot', () => {
    const cacheWith = (kvTokens: number) => memoryParts(needs, { ...settings, kvTokens }).cache
    expect(cacheWith(10_000)).toBe(10_000 * 62_208)
    expect(cacheWith(0)).toBe(4 * 131_072 * 62_208)
  })

  it('has no advice where everything fits', () => {
    const check = checkMemory({ ...form, settings, free: free(24e9) })
    expect(check).toMatchObject({ fits: true, freeBytes: 24e9, remedy: undefined })
    expect(memoryText(check)).toMatch(
      /^the model needs 19\.\d GB of memory \(weights 18\.3 GB, .*\), and 24\.0 GB are free$/,
    )
  })

  it('says how to keep uploads within what is left', () => {
    const bodies = { ...settings, uploadBytes: 2 ** 31, decodeBytes: 2 ** 31 }
    const { neededBytes } = checkMemory({ ...form, settings: bodies, free: undefined })
    const left = (megabytes: number) =>
      checkMemory({ ...form, settings: bodies, free: free(neededBytes + megabytes * 2 ** 20) })
    expect(left(4096).remedy).toBeUndefined()
    expect(left(2001)).toMatchObject({ fits: true })
    expect(left(2001).remedy).toMatch(/set UPLOAD_MEMORY_MB=1000 and DECODE_MEMORY_MB=1001$/)
    expect(left(300).remedy).toMatch(/set UPLOAD_MEMORY_MB=200 and DECODE_MEMORY_MB=100$/)
  })

  it('names the settings with which it would fit, lowered no more than necessary', () => {
    const large = { ...settings, kvTokens: 60_000 }
    const check = checkMemory({ ...form, settings: large, free: free(22e9) })
    expect(check.fits).toBe(false)
    const [, tokens] = /^set KV_CACHE_TOKENS=(\d+) \(MEMORY_MB/.exec(check.remedy!)!
    const fitsWith = (kvTokens: number) =>
      checkMemory({ ...form, settings: { ...settings, kvTokens }, free: free(22e9) }).fits
    expect([fitsWith(Number(tokens)), fitsWith(Number(tokens) + 1)]).toEqual([true, false])
  })

  it('lowers one setting after another', () => {
    const large = { ...settings, kvTokens: 60_000 }
    const least = sumOf(memoryParts(needs, { ...settings, kvTokens: 1024 }))
    const { remedy } = checkMemory({ ...form, settings: large, free: free(least - 2 ** 20) })
    expect(remedy).toMatch(/^set KV_CACHE_TOKENS=1024 and IMAGE_CACHE_MB=255 /)
  })

  it('proposes 8 bits where only they fit', () => {
    const exact = { ...needs, weightBytes: 62e9 }
    const { remedy } = checkMemory({
      chosen: exact,
      rounded: () => needs,
      settings,
      free: free(24e9),
    })
    expect(remedy).toMatch(/^set WEIGHTS=q8 /)
  })

  it('says what has to be free where no setting helps', () => {
    const check = checkMemory({ ...form, settings, free: free(8e9, 'container') })
    expect(memoryText(check)).toMatch(
      /8\.0 GB are free within the limit of this container or service: no setting makes up for that, at least 19\.\d GB have to be free/,
    )
  })

  it('takes the operator’s word for what may be used', () => {
    const check = checkMemory({ ...form, settings, free: free(8e9, 'setting') })
    expect(memoryText(check)).toContain('8.0 GB are allowed by MEMORY_MB: no setting')
    expect(check.remedy).not.toContain('MEMORY_MB')
  })

  it('states the need where nobody knows what is free', () => {
    const check = checkMemory({ ...form, settings, free: undefined })
    expect(check.fits).toBeUndefined()
    expect(memoryText(check)).toMatch(/how much is free is unknown here$/)
  })
})
