import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { affinityOf } from './hint.ts'

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
