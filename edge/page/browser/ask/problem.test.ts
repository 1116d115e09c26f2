import { describe, expect, it } from 'vitest'
import {
  errorBody,
  type ErrorCode,
  errorKinds,
  ServiceError,
} from '../../../../shared/api/errors.ts'
import { foreignProblem, problemOf, unreachable, waitText } from './problem.ts'

const problem = (code: ErrorCode, retryAfter?: string) =>
  problemOf(errorBody(new ServiceError(code, 'Because.'), 'req_1'), retryAfter)

describe('problemOf()', () => {
  it.each(Object.keys(errorKinds) as ErrorCode[])('has words and the request id for %s', (code) => {
    expect(problem(code)).toMatchObject({ detail: 'Because.', requestId: 'req_1' })
    expect(problem(code).title).toMatch(/^[A-Z][^_]+$/)
  })

  it('asks for a key where one is missing, wrong, or may not do this, and nowhere else', () => {
    const asking = (Object.keys(errorKinds) as ErrorCode[]).filter((code) => problem(code).needsKey)
    expect(asking).toEqual([
      'missing_api_key',
      'invalid_api_key',
      'revoked_api_key',
      'expired_api_key',
      'forbidden_scope',
    ])
  })

  it('says when to ask again, if that helps', () => {
    expect(problem('rate_limited', '12').retryAfterSeconds).toBe(12)
    expect(problem('quota_exceeded').retryAfterSeconds).toBeUndefined()
  })
})

describe('what is not from the API', () => {
  it('is told apart', () => {
    expect(foreignProblem(502).detail).toContain('502')
    expect(foreignProblem(413).title).toBe('This is more than the server accepts at once')
    expect(unreachable(false).title).toBe('You are offline')
    expect(unreachable(true).title).toBe('The server cannot be reached')
  })
})

describe('waitText()', () => {
  it.each([
    [1, '1 second'],
    [61, '61 seconds'],
    [120, '2 minutes'],
    [7_200, '2 hours'],
  ])('of %i seconds is %s', (seconds, text) => {
    expect(waitText(seconds)).toBe(text)
  })
})
