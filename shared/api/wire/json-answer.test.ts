import { expect, it } from 'vitest'
import { errorResponse, ServiceError } from '../errors.ts'
import { jsonAnswer } from './json-answer.ts'

it('answers JSON with a newline at its end', async () => {
  const answer = jsonAnswer({ a: 1 }, 503, { 'cache-control': 'no-store' })
  expect([answer.status, await answer.text()]).toEqual([503, '{"a":1}\n'])
  expect(Object.fromEntries(answer.headers)).toEqual({
    'cache-control': 'no-store',
    'content-type': 'application/json',
  })
})

it('is the form of errors too', async () => {
  const answer = errorResponse(new ServiceError('not_found', 'Nothing'), 'req_1')
  expect(await answer.text()).toMatch(/^\{"error":\{.*\}\}\n$/)
})
