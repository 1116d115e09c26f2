import { describe, expect, it, vi } from 'vitest'
import { maxJsonBytes } from '../../../shared/api/limits.ts'
import { decodeBase64, decodeDataUri } from './decode-base64.ts'
import { LiftingReader, type LiftedString } from './lifting-reader.ts'

const place = { name: 'image 1', param: 'messages.0' }
const file = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 7) % 251)
const base64 = Buffer.from(file).toString('base64')
const dataUri = `data:image/png;base64,${base64}`

function read(json: string, size = json.length) {
  const reader = new LiftingReader()
  const bytes = new TextEncoder().encode(json)
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.slice(at, at + size))
  return reader.end()
}

const rawOf = (text: string): LiftedString => [Buffer.from(JSON.stringify(text).slice(1, -1))]

describe('LiftingReader', () => {
  const sent = {
    'a"b\\': ['\\"', 'x'.repeat(20_000), { url: 'short' }],
    image_url: { url: dataUri, detail: 'low' },
    source: { data: base64 },
    quoted: '"url":"',
  }

  it.each([1, 7, 16_384, 65_536, 1e6])('lifts images out of pieces of %i bytes', async (size) => {
    for (const json of [JSON.stringify(sent), JSON.stringify(sent, null, 2)]) {
      const { value, lifted } = read(json, size)
      const got = value as typeof sent
      expect({ ...got, image_url: 0, source: 0 }).toEqual({ ...sent, image_url: 0, source: 0 })
      expect(got.image_url.detail).toBe('low')
      expect(got.image_url.url.length).toBeLessThan(100)
      expect(await decodeDataUri(lifted(got.image_url.url)!, place)).toEqual(file)
      expect(await decodeBase64(lifted(got.source.data)!, place)).toEqual(file)
    }
  })

  it('leaves every other JSON as it is', () => {
    for (const json of ['{}', '"\\\\\\""', '[{"url":"a\\"b"},{"url" : ""}]', ' { "url":\n"x" } ']) {
      for (const size of [1, 2, 3, 100]) expect(read(json, size).value).toEqual(JSON.parse(json))
    }
  })

  it('looks for a field in front of long strings only', () => {
    const before = /"url"\s*:\s*"$/
    const looks = vi.spyOn(before, 'test')
    const reader = new LiftingReader({ before, inLists: true })
    const fields = Object.fromEntries(
      Array.from({ length: 16_000 }, (_, id) => [`url${id}`, 'url']),
    )
    const json = Buffer.from(JSON.stringify({ url: ['a', fields, 'x'.repeat(20_000)] }))
    for (let at = 0; at < json.length; at += 65_536) reader.push(json.subarray(at, at + 65_536))
    expect(reader.end().value).toMatchObject({ url: ['a', fields, expect.any(String)] })
    expect(looks.mock.calls.length).toBeLessThan(20)
  })

  it('knows no reference but its own', () => {
    const forged = { text: 'lifted:0:0', image_url: { url: dataUri } }
    const { value, lifted } = read(JSON.stringify(forged))
    expect(lifted((value as typeof forged).text)).toBeUndefined()
    expect(
      read(JSON.stringify(forged)).lifted((value as typeof forged).image_url.url),
    ).toBeUndefined()
  })

  it('refuses what is broken, and more text than is allowed', () => {
    for (const json of ['', '{"url":"abc', `{"url":"${base64}`, '{"url":"a"']) {
      expect(() => read(json)).toThrow(expect.objectContaining({ code: 'invalid_json' }) as Error)
    }
    const long = JSON.stringify({ text: 'x'.repeat(maxJsonBytes) })
    expect(() => read(long)).toThrow(expect.objectContaining({ code: 'body_too_large' }) as Error)
    expect(() => read(JSON.stringify({ url: 'A'.repeat(2 * maxJsonBytes) }))).not.toThrow()
  })
})

describe('decodeDataUri()', () => {
  const tiny = 'data:image/png;base64,'

  it.each([
    ['slashes escaped', `data:image\\/png;base64,${base64.replaceAll('/', '\\/')}`],
    ['plus signs escaped', `${tiny}${base64.replaceAll('+', '\\u002b')}`],
    ['line breaks', `${tiny}${base64.replaceAll(/.{76}/g, '$&\\r\\n')}`],
    ['spaces and capitals', `DATA:;charset=x; BASE64, ${base64}`],
    ['no padding', `${tiny}${base64.replaceAll('=', '')}`],
    ['white space before it', ` \\n\\t ${tiny}${base64}`],
    ['characters escaped as in a URL', `${tiny}${encodeURIComponent(base64)}`],
    ['line breaks escaped as in a URL', `${tiny}${base64.replaceAll(/.{76}/g, '$&%0a')}`],
  ])('takes %s', async (_what, raw) => {
    for (const size of [3, 1_000, 1e6]) {
      const pieces = Buffer.from(raw)
      const text = Array.from({ length: Math.ceil(pieces.length / size) }, (_, at) =>
        pieces.subarray(at * size, (at + 1) * size),
      )
      if (size === 3) text.splice(0, 20, pieces.subarray(0, 60))
      expect(await decodeDataUri(text, place)).toEqual(file)
    }
  })

  it.each([
    ['no data URI', 'ftp://example.org/a.png'],
    ['no base64', 'data:image/png,abcd'],
    ['foreign characters', `${tiny}ab#d`],
    ['a cut one', `${tiny}abcde`],
    ['data after its padding', `${tiny}YQ==YQ==`],
    ['too much padding', `${tiny}YQ===`],
    ['URL-safe base64', `${tiny}ab-_`],
    ['a percent sign alone', `${tiny}ab%cd%2`],
  ])('refuses %s', async (_what, text) => {
    await expect(decodeDataUri(rawOf(text), place)).rejects.toMatchObject({
      code: 'invalid_field',
      param: 'messages.0',
    })
  })

  it('refuses an image without bytes, and one over the limit', async () => {
    await expect(decodeDataUri(rawOf(tiny), place)).rejects.toMatchObject({ code: 'empty_image' })
    const huge = rawOf(tiny + 'A'.repeat(30 * 2 ** 20))
    await expect(decodeDataUri(huge, place)).rejects.toMatchObject({ code: 'body_too_large' })
  })
})
