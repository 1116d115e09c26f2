import { describe, expect, it } from 'vitest'
import { parseJsonBytes } from './parse-json.ts'

const parse = (text: string) => parseJsonBytes(new TextEncoder().encode(text))
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('parseJsonBytes()', () => {
  it.each(['{"a":[1,{"b":"]}"}]}', '"\\\\"', `["${'['.repeat(2_000)}"]`, nested(1_000), '[{},{}]'])(
    'reads %s',
    (text) => {
      expect(parse(text)).toEqual(JSON.parse(text))
    },
  )

  it('skips a byte order mark', () => {
    expect(parse('\ufeff{"a":1}')).toEqual({ a: 1 })
  })

  it('does not follow lists and objects without end', () => {
    for (const text of [nested(1_001), '{"a":'.repeat(100_000), '['.repeat(2_000_000)]) {
      expect(() => parse(text)).toThrow(
        expect.objectContaining({
          code: 'invalid_json',
          message: expect.stringMatching(/1000 levels deep/) as string,
        }),
      )
    }
  })

  it('takes no more different names than any request has, however often each occurs', () => {
    const named = (count: number) =>
      Array.from({ length: count }, (_, index) => `"name ${index}" : "${index}"`)
    const fields = Array.from({ length: 20_000 }, () => '{"type":"text","a\\"b":":"}').join(',')
    for (const text of [`{${named(16_000).join(',')}}`, `[${fields}]`]) {
      // Comparing the objects takes seconds.
      expect(JSON.stringify(parse(text)) === JSON.stringify(JSON.parse(text))).toBe(true)
    }
    for (const text of [`{${named(20_000).join(',')}}`, `[{${named(20_000).join('},{')}}]`]) {
      expect(() => parse(text)).toThrow(/more than 16384 different field names/)
    }
  })

  it.each(['', '{"a":', '"\\', '{"a":NaN}'])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow('The request body is not valid JSON')
  })
})
