import { describe, expect, it } from 'vitest'
import { formToObject, parseUrlForm } from './form.ts'
import { maxFormFields } from '../limits.ts'
import { generateFields, parseFields } from './request.ts'

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

  it('does not parse more biases than are allowed', () => {
    const nested = '['.repeat(50_000) + ']'.repeat(50_000)
    expect(formToObject([['logit_bias', nested]])).toEqual({ logit_bias: nested })
    const most = Object.fromEntries(
      Array.from({ length: 1_024 }, (_, index) => [163_840 - index, -99.999999]),
    )
    expect(formToObject([['logit_bias', JSON.stringify(most, null, 2)]])).toEqual({
      logit_bias: most,
    })
  })

  it.each(['image_url', 'image_url[]', 'image_url[0]', 'image_url[12]'])(
    'knows a list by %s',
    (name) => {
      const urls = ['https://a.org/1', 'https://a.org/2']
      expect(formToObject(urls.map((url) => [name, url]))).toEqual({ image_url: urls })
    },
  )

  it('does not count a URL that was left empty', () => {
    const url = 'https://a.org/1'
    const form = ['', url, ''].map((value) => ['image_url', value] as const)
    expect(formToObject(form)).toEqual({ image_url: url })
    expect(formToObject([['image_url', '']])).toEqual({})
  })

  it.each(['prompt[0]', 'image_url[a]', 'image_url[0][1]', 'ximage_url[0]'])(
    'leaves %s as it is',
    (name) => {
      expect(formToObject([[name, 'a']])).toEqual({ [name]: 'a' })
    },
  )

  it.each(['1.', '+5', '-0.5E-3', ' 7 '])('reads %j as a number', (text) => {
    expect(formToObject([['seed', text]])).toEqual({ seed: Number(text) })
  })

  it.each(['1.2.3', '.', '0x10', '1e', '1'.repeat(401), 'Infinity'])(
    'leaves %s as text',
    (text) => {
      expect(formToObject([['seed', text]])).toEqual({ seed: text })
    },
  )
})

describe('parseUrlForm()', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  it('takes as many fields as a form may have', () => {
    const form = parseUrlForm(bytes('a=1&'.repeat(maxFormFields - 1) + 'prompt=%F0%9F%94%B4'))
    expect([...form.keys()]).toHaveLength(maxFormFields)
    expect(form.get('prompt')).toBe('🔴')
  })

  it('refuses one more before it reads any', () => {
    expect(() => parseUrlForm(bytes('&'.repeat(maxFormFields)))).toThrow(
      expect.objectContaining({ code: 'invalid_field', message: 'The form has over 64 fields' }),
    )
  })
})
