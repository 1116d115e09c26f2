import { expect, it } from 'vitest'
import { levelOfAnswer } from './answer-level.ts'

it.each([
  [200, undefined, 'info'],
  [400, 'invalid_field', 'info'],
  [429, 'queue_full', 'info'],
  [503, 'model_loading', 'info'],
  [500, 'internal', 'error'],
  [503, 'backend_unavailable', 'error'],
  [503, undefined, 'error'],
])('an answer of status %i and code %s is logged as %s', (status, code, level) => {
  expect(levelOfAnswer(status, code)).toBe(level)
})
