/**
 * Answers of the real little model that have to be JSON, asked for over HTTP. `FORMAT_SCHEMAS` says how many schemas are
 * tried: 200 take some minutes.
 */
import { readFile } from 'node:fs/promises'
import { FormData } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Vocabulary } from '../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import {
  keywordSchemas,
  objectOf,
  randomSchemas,
  usualSchemas,
  type NamedSchema,
} from '../support/grammar/grammar-schemas.ts'
import { prepare } from '../support/grammar/grammar-walks.ts'
import { startNanoBackend, type NanoBackend } from '../support/backends/nano-backend.ts'
import { validatorOf } from '../support/test-ajv.ts'
import { makeCertificates } from '../support/backends/test-backend.ts'

interface Answer {
  readonly output: string
  readonly finish_reason: string
  readonly outputs?: readonly { readonly output: string; readonly finish_reason: string }[]
  readonly logprobs?: readonly { readonly token: string }[]
  readonly error?: { readonly code: string; readonly param: string; readonly message: string }
}

let nano: NanoBackend
beforeAll(async () => {
  nano = await startNanoBackend(await makeCertificates('edge'), () => {
    throw new Error('nothing is fetched here')
  })
})
afterAll(() => nano.stop())

async function ask(fields: Record<string, unknown>): Promise<Answer> {
  const response = await nano.backend.fetch('/generate/text', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Describe a picture.', max_tokens: 60, ...fields }),
  })
  return (await response.json()) as Answer
}

const formatOf = (schema: unknown) => ({ type: 'json_schema', json_schema: { name: 'a', schema } })

const scene = objectOf({
  shape: { enum: ['circle', 'square'] },
  caption: { type: 'string', maxLength: 30 },
  sizes: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 99 }, maxItems: 3 },
})

const maxTokens = 120
const count = Number(process.env['FORMAT_SCHEMAS'] ?? 24)
/** Whether the shortest text takes no more tokens than answers may have here. */
const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
function fits([, schema]: NamedSchema): boolean {
  const { endings, start } = prepare(schema, vocabulary).automaton
  return vocabulary.tokensOf(endings.text(start)).length <= maxTokens
}

const all = [...keywordSchemas, ...usualSchemas, ...randomSchemas(100, 21)].filter(fits)
const some = Array.from(
  { length: count },
  (_, index) => all[Math.floor((index * all.length) / count)]!,
)

async function outcomeOf(name: string, schema: unknown, temperature: number): Promise<unknown> {
  const answer = await ask({
    temperature,
    seed: 5,
    top_p: 1,
    max_tokens: maxTokens,
    response_format: formatOf(schema),
  })
  if (answer.finish_reason !== 'stop') return [name, answer]
  return validatorOf(schema)(JSON.parse(answer.output)) ? 'valid' : [name, answer.output]
}

describe(`answers to ${count} schemas`, () => {
  it.each([0, 1])(
    'are valid at temperature %d',
    async (temperature) => {
      const outcomes: unknown[] = []
      const waiting = some.values()
      // Each takes the next one.
      const askSome = async () => {
        for (const [name, schema] of waiting)
          outcomes.push(await outcomeOf(name, schema, temperature))
      }
      await Promise.all(Array.from({ length: 8 }, askSome))
      expect(outcomes).toEqual(outcomes.map(() => 'valid'))
      expect(outcomes).toHaveLength(count)
    },
    900_000,
  )
})

describe('a format', () => {
  it('goes with several answers, log probabilities, penalties and bias', async () => {
    const { outputs } = await ask({
      n: 3,
      temperature: 1,
      seed: 3,
      logprobs: true,
      top_logprobs: 2,
      presence_penalty: 1,
      repetition_penalty: 1.2,
      logit_bias: { 34: 5 },
      response_format: formatOf(scene),
    })
    const isValid = validatorOf(scene)
    const found = outputs!.map((one) => [isValid(JSON.parse(one.output)), one.finish_reason])
    expect(found).toEqual(Array.from({ length: 3 }, () => [true, 'stop']))
  })

  it('returns the log probabilities of every token of its text', async () => {
    const { output, logprobs } = await ask({
      logprobs: true,
      response_format: formatOf(objectOf({ a: { type: 'integer' } })),
    })
    expect(logprobs!.map(({ token }) => token).join('')).toBe(output)
  })

  it('gives the same answer for the same seed, alone and among others', async () => {
    const fields = { temperature: 1, seed: 9, response_format: formatOf(scene) }
    const alone = await ask(fields)
    const others = [1, 2, 3].map((seed) => ask({ ...fields, seed }))
    const [again] = await Promise.all([ask(fields), ...others])
    expect(again.output).toBe(alone.output)
  })

  it('holds json_object to an object', async () => {
    const { output } = await ask({
      temperature: 1,
      seed: 2,
      response_format: { type: 'json_object' },
    })
    expect(JSON.parse(output)).toBeTypeOf('object')
    expect(output.startsWith('{')).toBe(true)
  })

  it('is any text with the type text, and null', async () => {
    const plain = await ask({ temperature: 0 })
    const asked = [{ type: 'text' }, null].map((format) =>
      ask({ temperature: 0, response_format: format }),
    )
    expect((await Promise.all(asked)).map(({ output }) => output)).toEqual([
      plain.output,
      plain.output,
    ])
  })

  it('is cut by a stop text', async () => {
    const { output, finish_reason: reason } = await ask({
      stop: '":',
      response_format: formatOf(scene),
    })
    expect([output, reason]).toEqual(['{"shape', 'stop'])
  })

  it('breaks off where not even the shortest text fits', async () => {
    const { finish_reason: reason } = await ask({ max_tokens: 3, response_format: formatOf(scene) })
    expect(reason).toBe('length')
  })

  it('comes as JSON text in a form', async () => {
    const form = new FormData()
    form.set('prompt', 'Which shape is it?')
    form.set('max_tokens', '60')
    form.set('images', new Blob([await readFile('test/golden/images/g01.png')]), 'g01.png')
    form.set('response_format', JSON.stringify(formatOf(scene)))
    const response = await nano.backend.fetch('/generate/image', { method: 'POST', body: form })
    const { output } = (await response.json()) as Answer
    expect(validatorOf(scene)(JSON.parse(output))).toBe(true)
  })

  it('is refused in a form when it is no JSON, or brackets by the thousand', async () => {
    const broken = await nano.backend.fetch('/generate/image_url', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        prompt: 'a',
        image_url: 'https://example.com/a.png',
        response_format: '[['.repeat(100_000),
      }).toString(),
    })
    const { error } = (await broken.json()) as Answer
    expect(error).toMatchObject({ code: 'invalid_field', param: 'response_format' })
  })

  it.each([
    [{ type: 'xml' }, 'invalid_field', 'response_format.type'],
    ['json', 'invalid_field', 'response_format'],
    [{ type: 'json_schema' }, 'invalid_field', 'response_format.json_schema'],
    [
      { type: 'json_schema', json_schema: {} },
      'invalid_field',
      'response_format.json_schema.schema',
    ],
    [
      { type: 'json_schema', json_schema: { schema: [] } },
      'invalid_field',
      'response_format.json_schema.schema',
    ],
    [
      formatOf({ uniqueItems: true }),
      'invalid_schema',
      'response_format.json_schema.schema/uniqueItems',
    ],
    [formatOf(false), 'invalid_schema', 'response_format.json_schema.schema'],
    [
      formatOf({ description: 'x'.repeat(262_144) }),
      'invalid_schema',
      'response_format.json_schema.schema',
    ],
  ])('is refused: %j', async (format, code, param) => {
    const { error } = await ask({ response_format: format })
    expect(error).toMatchObject({ code, param })
  })
})
