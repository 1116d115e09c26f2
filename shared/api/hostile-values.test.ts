import { describe, expect, it } from 'vitest'
import { expectLinear } from '../../test/support/expect-linear.ts'
import { checkUrl } from '../fetch/check-url.ts'
import { boundaryOf } from '../multipart/boundary.ts'
import { ServiceError } from './errors.ts'
import { acceptsEvents } from './wire/accept.ts'
import { mayBeBase64 } from './wire/base64-text.ts'
import { formToObject, parseUrlForm } from './request/form.ts'
import { isEventStream } from './wire/media-type.ts'
import { parseJsonBytes } from './wire/parse-json.ts'
import { generateFields, imageUrlFields, parseFields } from './request/request.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A refusal is as good as an answer here. */
function attempt(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
  }
}

const form = (text: string) => attempt(() => formToObject(parseUrlForm(bytes(text))))
const json = (text: string) =>
  attempt(() => {
    const value = parseJsonBytes(bytes(text))
    attempt(() => parseFields(generateFields, value))
    attempt(() => parseFields(imageUrlFields, value))
  })

describe('hostile values', () => {
  it.each<[string, string, string, string, (text: string) => unknown]>([
    ['a number', 'temperature=', '1', 'x', form],
    ['a number of blanks', 'temperature=1', '+', 'x', form],
    ['fields of a form', '', 'a&', '', form],
    ['brackets in a name', 'images', '[0]', '=', form],
    ['nested lists', '', '[', '', json],
    ['nested objects', '', '{"a":', '', json],
    ['quotes', '', '""', '', json],
    ['backslashes', '"', '\\\\', '', json],
    ['biases', '{"logit_bias":{"1":1', ',"1":1', '}}', json],
    ['stop texts', '{"prompt":"a","stop":["a"', ',"a"', ']}', json],
    ['URLs', '{"prompt":"a","image_url":["a"', ',"a"', ']}', json],
    ['wrong URLs', '{"prompt":"a","image_url":[1', ',1', ']}', json],
    ['media ranges', '', 'text/event-stream;q=0,', '', acceptsEvents],
    ['parameters of a media type', 'multipart/form-data', '; a="\\"', '', boundaryOf],
    ['blanks in a media type', 'text/event-stream', ' ', 'x', isEventStream],
    ['blanks in base64', 'a', ' ', '!', mayBeBase64],
    ['a URL', 'http://', 'a.', '/', checkUrl],
    ['a scheme', '', 'a', '', checkUrl],
  ])('cost time in proportion to their length: %s', (_name, start, repeated, end, read) => {
    const make = (size: number) => start + repeated.repeat(size / repeated.length) + end
    expectLinear(make, (text) => void read(text), 60_000)
  })

  it('does not look at more biases, stop texts and URLs than are allowed', () => {
    const ids = Array.from({ length: 180_000 }, (_, id) => [id, 'not a number'] as const)
    const looked: string[] = []
    const watched = (values: readonly unknown[]) =>
      new Proxy(values, {
        get(target, key) {
          if (typeof key === 'string') looked.push(key)
          return Reflect.get(target, key) as unknown
        },
      })
    const prompt = 'Hi'
    expect(() =>
      parseFields(generateFields, { prompt, logit_bias: Object.fromEntries(ids) }),
    ).toThrow('logit_bias: at most 1024 token ids are allowed')
    expect(() => parseFields(imageUrlFields, { prompt, image_url: watched(ids) })).toThrow(
      'image_url: at most 16 images are allowed in one request, received 180000 items',
    )
    expect(new Set(looked)).toEqual(new Set(['length']))
  })
})
