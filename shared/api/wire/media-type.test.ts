import { describe, expect, it } from 'vitest'
import { acceptedMediaType } from './media-type.ts'

const accepted = ['application/json', 'multipart/form-data'] as const

describe('acceptedMediaType()', () => {
  it.each([
    ['application/json', null],
    ['Application/JSON ;charset=utf-8', 'Identity'],
    ['application/json;\tcharset=utf-8', 'identity'],
    ['application/json', ''],
  ])('takes %j, encoded as %j', (type, encoding) => {
    expect(acceptedMediaType({ type, encoding }, accepted)).toBe('application/json')
  })

  it.each([
    ['text/plain', null],
    ['application/json, text/plain', null],
    ['application/json', 'gzip'],
    ['multipart/form-data; boundary="a\u0001"', null],
    [null, null],
  ])('refuses %j, encoded as %j', (type, encoding) => {
    expect(() => acceptedMediaType({ type, encoding }, accepted)).toThrow(
      expect.objectContaining({ code: 'unsupported_media_type' }),
    )
  })
})
