import { describe, expect, it } from 'vitest'
import { formToObject } from './form.ts'
import { generateFields, imageUrlFields, parseFields } from './request.ts'

const parse = (fields: Record<string, unknown>) =>
  parseFields(generateFields, { prompt: 'Hi', ...fields })

describe('generateFields', () => {
  it('fills in what is off', () => {
    expect(parse({})).toMatchObject({
      temperature: 0.7,
      top_p: 0.9,
      top_k: 0,
      min_p: 0,
      repetition_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      n: 1,
      stop: [],
      logprobs: false,
    })
  })

  it.each([
    { top_k: 0 },
    { top_k: 163_840 },
    { min_p: 1 },
    { repetition_penalty: 2 },
    { presence_penalty: -2, frequency_penalty: 2 },
    { n: 8 },
    { stop: Array.from({ length: 16 }, (_, i) => `stop ${i}`) },
    { stop: ['x'.repeat(256), '🔴', '\n'] },
    { logprobs: true, top_logprobs: 20 },
    { logprobs: true, top_logprobs: 0 },
    { logit_bias: { 0: -100, 163585: 100 } },
  ])('takes %j', (fields) => {
    expect(parse(fields)).toMatchObject(fields)
  })

  it.each([
    [{ temperature: '0,5' }, 'temperature: Invalid input: expected number, received "0,5"'],
    [{ temperature: Infinity }, 'temperature: Invalid input: expected number, received Infinity'],
    [{ prompt: ['a', 'b'] }, 'prompt: Invalid input: expected string, received 2 items'],
    [{ prompt: null }, 'prompt: Invalid input: expected string, received null'],
    [
      { stop: Array.from({ length: 17 }, () => 'x') },
      'stop: Too big: expected array to have <=16 items, received 17 items',
    ],
  ])('tells once what came instead in %j', (fields, message) => {
    expect(() => parse(fields)).toThrow(expect.objectContaining({ message }))
  })

  it('takes one stop string as a list of one', () => {
    expect(parse({ stop: '.' }).stop).toEqual(['.'])
  })

  it.each<[string, Record<string, unknown>]>([
    ['top_k', { top_k: -1 }],
    ['top_k', { top_k: 1.5 }],
    ['min_p', { min_p: 1.01 }],
    ['min_p', { min_p: '0.5' }],
    ['repetition_penalty', { repetition_penalty: 0 }],
    ['repetition_penalty', { repetition_penalty: 2.1 }],
    ['presence_penalty', { presence_penalty: 2.5 }],
    ['frequency_penalty', { frequency_penalty: NaN }],
    ['n', { n: 0 }],
    ['n', { n: 9 }],
    ['stop', { stop: 5 }],
    ['stop', { stop: Array.from({ length: 17 }, () => 'x') }],
    ['stop.0', { stop: '' }],
    ['stop.1', { stop: ['a', 'x'.repeat(257)] }],
    ['stop.0', { stop: ['\uD83D'] }],
    ['logprobs', { logprobs: 1 }],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }],
    ['top_logprobs', { top_logprobs: 3 }],
    ['logit_bias', { logit_bias: [1, 2] }],
    ['logit_bias.5', { logit_bias: { 5: 101 } }],
    ['logit_bias.hello', { logit_bias: { hello: 1 } }],
    ['logit_bias.007', { logit_bias: { '007': 1 } }],
    [
      'logit_bias',
      { logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [i, 1])) },
    ],
  ])('refuses %s in %j', (param, fields) => {
    expect(() => parse(fields)).toThrow(
      expect.objectContaining({
        code: 'invalid_field',
        status: 400,
        param,
        message: expect.stringMatching(new RegExp(`^${param}`)) as string,
      }),
    )
  })

  it('refuses top_logprobs without logprobs beside image URLs, too', () => {
    const fields = { prompt: 'Hi', image_url: 'https://example.com/a.png', top_logprobs: 1 }
    expect(() => parseFields(imageUrlFields, fields)).toThrow(/^top_logprobs: needs logprobs/)
  })
})

describe('formToObject()', () => {
  it('reads every field as a JSON client would have sent it', () => {
    const form = formToObject([
      ['prompt', '5'],
      ['top_k', '40'],
      ['min_p', '.05'],
      ['repetition_penalty', '1.1'],
      ['presence_penalty', '-0.5'],
      ['frequency_penalty', '1e-1'],
      ['logit_bias', '{"11": -100, "13": 2.5}'],
      ['n', '3'],
      ['stop', '\n'],
      ['stop', '5'],
      ['logprobs', 'true'],
      ['top_logprobs', '2'],
    ])
    expect(parseFields(generateFields, form)).toMatchObject({
      prompt: '5',
      top_k: 40,
      min_p: 0.05,
      repetition_penalty: 1.1,
      presence_penalty: -0.5,
      frequency_penalty: 0.1,
      logit_bias: { 11: -100, 13: 2.5 },
      n: 3,
      stop: ['\n', '5'],
      logprobs: true,
      top_logprobs: 2,
    })
  })

  it.each([
    ['logit_bias', 'not JSON'],
    ['logit_bias', '[1]'],
    ['n', 'three'],
    ['logprobs', 'yes'],
  ])('leaves %s = %s to be refused', (name, text) => {
    const form = formToObject([
      ['prompt', 'Hi'],
      [name, text],
    ])
    expect(() => parseFields(generateFields, form)).toThrow(
      expect.objectContaining({ param: name }),
    )
  })
})
