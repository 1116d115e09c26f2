import { describe, expect, it } from 'vitest'
import { formToObject } from './request/form.ts'
import { maxChoices, maxStopChars, maxStops, maxTopLogprobs } from './limits.ts'
import { generateFields, parseFields } from './request/request.ts'

/** A number field: its least and greatest values, and the nearest ones beyond them. */
interface Bounds {
  readonly least: number
  readonly most: number
  readonly below: number
  readonly above: number
}

const whole = (least: number, most: number): Bounds => ({
  least,
  most,
  below: least - 1,
  above: most + 1,
})
const tiny = Number.MIN_VALUE
const beyond = (value: number) => value + 2 * Number.EPSILON

const bounds: Record<string, Bounds> = {
  temperature: { least: 0, most: 2, below: -tiny, above: beyond(2) },
  top_p: { least: tiny, most: 1, below: 0, above: beyond(1) },
  top_k: whole(0, Number.MAX_SAFE_INTEGER),
  min_p: { least: 0, most: 1, below: -tiny, above: beyond(1) },
  repetition_penalty: { least: tiny, most: 2, below: 0, above: beyond(2) },
  presence_penalty: { least: -2, most: 2, below: -beyond(2), above: beyond(2) },
  frequency_penalty: { least: -2, most: 2, below: -beyond(2), above: beyond(2) },
  seed: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  n: whole(1, maxChoices),
  max_tokens: whole(1, Number.MAX_SAFE_INTEGER),
  top_logprobs: whole(0, maxTopLogprobs),
}

/** JSON text of a value of a field, as a client may write it. */
const parseJson = (field: string, literal: string) =>
  parseFields(
    generateFields,
    JSON.parse(`{"prompt":"a","logprobs":${field === 'top_logprobs'},"${field}":${literal}}`),
  )
const parseForm = (field: string, text: string) => {
  const logprobs: [string, string][] = field === 'top_logprobs' ? [['logprobs', 'true']] : []
  return parseFields(generateFields, formToObject([['prompt', 'a'], ...logprobs, [field, text]]))
}
const refused = (field: string) =>
  expect.objectContaining({ code: 'invalid_field', param: field }) as Error

describe.each(Object.entries(bounds))('%s', (field, { least, most, below, above }) => {
  it.each([least, most])('may be %d, in JSON and in a form', (value) => {
    expect(parseJson(field, String(value))).toMatchObject({ [field]: value })
    expect(parseForm(field, String(value))).toMatchObject({ [field]: value })
  })

  it.each([below, above, -1e9 * 1e300, 1e308, -1e308])('may not be %d', (value) => {
    if (value >= least && value <= most) return
    const literal = Number.isFinite(value) ? String(value) : '-1e309'
    expect(() => parseJson(field, literal)).toThrow(refused(field))
    expect(() => parseForm(field, literal)).toThrow(refused(field))
  })

  it.each(['1e309', '"0.7"', '"1"', 'true', '[]', '[1]', '{}', '""'])(
    'may not be %s in JSON',
    (literal) => expect(() => parseJson(field, literal)).toThrow(refused(field)),
  )

  it.each(['NaN', 'Infinity', '-Infinity', '1e309', '0x1', '1,5', '1 2', 'one', '--1', '1_0'])(
    'may not be %s in a form',
    (text) => expect(() => parseForm(field, text)).toThrow(refused(field)),
  )
})

describe.each(['top_k', 'seed', 'n', 'max_tokens', 'top_logprobs'])('%s', (field) => {
  it.each(['1.5', '1.0000000001'])('is whole: may not be %s', (text) => {
    expect(() => parseJson(field, text)).toThrow(refused(field))
    expect(() => parseForm(field, text)).toThrow(refused(field))
  })
})

describe('stop', () => {
  it('may be as many texts, as long as the limits say, and no more', () => {
    const stops = Array.from({ length: maxStops }, () => 'a'.repeat(maxStopChars))
    expect(parseFields(generateFields, { prompt: 'a', stop: stops }).stop).toEqual(stops)
    const tooMany = { prompt: 'a', stop: [...stops, 'b'] }
    expect(() => parseFields(generateFields, tooMany)).toThrow(refused('stop'))
    const tooLong = { prompt: 'a', stop: ['a'.repeat(maxStopChars + 1)] }
    expect(() => parseFields(generateFields, tooLong)).toThrow(refused('stop.0'))
  })
})
