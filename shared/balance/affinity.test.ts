import { describe, expect, it } from 'vitest'
import { imageAffinity, imageHeadBytes, textAffinity } from './affinity.ts'

describe('textAffinity()', () => {
  it('is that of the system prompt, where there is one', () => {
    const system_prompt = 'You describe birds.'
    expect(textAffinity({ system_prompt, prompt: 'A' })).toBe(
      textAffinity({ system_prompt, prompt: 'B' }),
    )
    expect(textAffinity({ prompt: 'A' })).not.toBe(textAffinity({ prompt: 'B' }))
  })

  it('is that of the beginning', () => {
    const page = 'x'.repeat(1_024)
    expect(textAffinity({ prompt: `${page} one` })).toBe(textAffinity({ prompt: `${page} two` }))
  })
})

describe('imageAffinity()', () => {
  it('depends on the first bytes alone', () => {
    const image = new Uint8Array(imageHeadBytes + 1)
    const early = image.with(5, 1)
    const late = image.with(imageHeadBytes, 1)
    expect(imageAffinity(late)).toBe(imageAffinity(image))
    expect(imageAffinity(early)).not.toBe(imageAffinity(image))
  })
})
