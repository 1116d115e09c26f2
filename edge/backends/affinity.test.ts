import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { imageAffinity, imageHeadBytes, textAffinity } from './affinity.ts'
import { affinityOf } from './hint.ts'

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

describe('affinityOf()', () => {
  const header = 'x-describe-backend-hint'

  it('prefers what the client says', () => {
    expect(affinityOf(new Headers({ [header]: 'album-7' }), 'text:1')).toBe('hint:album-7')
    expect(affinityOf(new Headers(), 'text:1')).toBe('text:1')
  })

  it.each(['', 'a b', 'x'.repeat(129)])('refuses %j as a hint', (hint) => {
    expect(() => affinityOf(new Headers({ [header]: hint }), undefined)).toThrow(ServiceError)
  })
})
