import { expect } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'

/** A typed error with the request's id, which reveals nothing internal. */
export async function expectError(
  response: Response,
  status: number,
  code: string,
): Promise<ErrorBody['error']> {
  const body = (await response.json()) as ErrorBody
  expect([response.status, body.error.code]).toEqual([status, code])
  expect(body.error.request_id).toBe(response.headers.get('x-request-id'))
  expect(body.error.message).not.toMatch(/canary|node_modules|ECONN|\bat .*:\d+:\d+/)
  return body.error
}
