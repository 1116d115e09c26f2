import { describe, expect, it } from 'vitest'
import { acceptsPage } from './accept.ts'

const chromium = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

describe('acceptsPage()', () => {
  it.each([
    ['of a browser', chromium, true],
    ['of curl', '*/*', false],
    ['that is absent', null, false],
    ['of a JSON client', 'application/json', false],
    ['that prefers JSON', 'application/json, text/html;q=0.5', false],
    ['that prefers HTML', 'application/json;q=0.5, text/html', true],
    ['that refuses HTML', 'text/html;q=0, */*', false],
  ])('with the header %s', (_of, accept, wanted) => {
    expect(acceptsPage(accept)).toBe(wanted)
  })
})
