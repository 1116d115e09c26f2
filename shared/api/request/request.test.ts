import { describe, expect, it } from 'vitest'
import { generateFields, imageUrlFields, parseFields, wantsStream } from './request.ts'

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
    { temperature: 0 },
    { temperature: 2 },
    { top_p: 0.0001 },
    { top_p: 1 },
    { max_tokens: 1 },
    // The context ends the answer.
    { max_tokens: 1e9 },
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
    [{ prompt: null }, 'prompt is required'],
    [{ stop: [null] }, 'stop.0: Invalid input: expected string, received null'],
    [
      { logit_bias: { ['k'.repeat(1_000)]: 1 } },
      `logit_bias.${'k'.repeat(69)}: Invalid key in record, received 1000 characters`,
    ],
    [
      { stop: Array.from({ length: 17 }, () => 'x') },
      'stop: Too big: expected array to have <=16 items, received 17 items',
    ],
  ])('tells once what came instead in %j', (fields, message) => {
    expect(() => parse(fields)).toThrow(expect.objectContaining({ message }))
  })

  it('takes null for whatever need not be sent', () => {
    const names = Object.keys(generateFields.shape).filter((name) => name !== 'prompt')
    expect(names).toContain('seed')
    expect(parse(Object.fromEntries(names.map((name) => [name, null])))).toEqual(parse({}))
  })

  it('takes one stop string as a list of one', () => {
    expect(parse({ stop: '.' }).stop).toEqual(['.'])
  })

  it.each<[string, Record<string, unknown>]>([
    ['temperature', { temperature: -0.001 }],
    ['temperature', { temperature: 2.001 }],
    ['temperature', { temperature: NaN }],
    ['temperature', { temperature: JSON.parse('1e309') as number }],
    ['temperature', { temperature: '0.7' }],
    ['top_p', { top_p: 0 }],
    ['top_p', { top_p: 1.0001 }],
    ['max_tokens', { max_tokens: 0 }],
    ['max_tokens', { max_tokens: -1 }],
    ['max_tokens', { max_tokens: 1.5 }],
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

  const url = 'https://example.com/a.png'

  it.each<[string, unknown]>([
    ['one', url],
    ['a list of one', [url]],
    ['one with blanks around it', ` ${url}\n`],
  ])('takes a URL as %s', (_name, urls) => {
    expect(parseFields(imageUrlFields, { prompt: 'Hi', image_url: urls }).image_url).toEqual([url])
  })

  it.each<[unknown, string]>([
    [undefined, 'image_url is required'],
    [null, 'image_url is required'],
    [{ url }, 'image_url: expected a URL as text, or a list of them'],
    [[url, { url }], 'image_url.1: expected a URL as text'],
    [5, 'image_url: expected a URL as text, or a list of them, received 5'],
    [[], 'image_url: Too small: expected array to have >=1 items, received 0 items'],
    [
      Array.from({ length: 17 }, () => url),
      'image_url: at most 16 images are allowed in one request, received 17 items',
    ],
  ])('refuses image_url %j', (urls, message) => {
    const fields = { prompt: 'Hi', image_url: urls }
    expect(() => parseFields(imageUrlFields, fields)).toThrow(expect.objectContaining({ message }))
  })

  it('refuses top_logprobs without logprobs beside image URLs, too', () => {
    const fields = { prompt: 'Hi', image_url: 'https://example.com/a.png', top_logprobs: 1 }
    expect(() => parseFields(imageUrlFields, fields)).toThrow(/^top_logprobs: needs logprobs/)
  })
})

describe('wantsStream()', () => {
  it.each<[boolean | undefined, string | null, boolean]>([
    [undefined, null, false],
    [undefined, '*/*', false],
    [undefined, 'application/json', false],
    [undefined, 'text/event-stream', true],
    [undefined, 'TEXT/Event-Stream; charset=utf-8', true],
    [undefined, 'text/event-stream;q=0.1', true],
    [undefined, 'application/json, text/event-stream', true],
    [undefined, 'text/event-stream, */*;q=0.5', true],
    [undefined, 'text/event-stream;q=0', false],
    [undefined, 'application/json, text/event-stream;q=0', false],
    [undefined, 'application/json, text/event-stream; q=0.1', false],
    [undefined, 'text/event-stream;q=0.5, */*', false],
    [undefined, 'text/event-stream;q=0.5, application/*;q=0.8', false],
    [undefined, 'text/event-stream;q=0.5, application/json;q=0.4', true],
    [undefined, 'text/event-streams', false],
    [false, 'text/event-stream', false],
    [false, 'application/json, text/event-stream', false],
    [true, 'application/json', true],
  ])('with stream %s and Accept %s is %s', (stream, accept, wanted) => {
    expect(wantsStream({ stream }, accept)).toBe(wanted)
  })
})
