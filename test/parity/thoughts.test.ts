/** The real little model made to think: with a format it is held to think first, whatever it would rather say. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import type { GenerateAnswer } from '../../shared/api/events.ts'
import { objectOf } from '../support/grammar/grammar-schemas.ts'
import { startNanoBackend, type NanoBackend } from '../support/backends/nano-backend.ts'
import { validatorOf } from '../support/test-ajv.ts'
import { makeCertificates } from '../support/backends/test-backend.ts'

let nano: NanoBackend
beforeAll(async () => {
  const transport = () => Promise.reject(new Error('nothing is fetched here'))
  nano = await startNanoBackend(await makeCertificates('edge'), transport, { reasons: true })
})
afterAll(() => nano.stop())

const schema = objectOf({ shape: { enum: ['circle', 'square'] }, colour: { type: 'string' } })
const response_format = { type: 'json_schema', json_schema: { name: 'scene', schema } }

const post = (fields: object) =>
  nano.backend.fetch('/generate/text', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Describe a picture.', response_format, ...fields }),
  })
const ask = async (fields: object) => (await (await post(fields)).json()) as GenerateAnswer

describe('the little model made to think', () => {
  it('thinks, and then answers in the form that is required, within its tokens', async () => {
    const validate = validatorOf(schema)
    for (const max_tokens of [60, 90, 200]) {
      for (const temperature of [0, 1]) {
        const fields = { max_tokens, temperature, seed: 3, n: 2, logprobs: true }
        const { outputs, usage } = await ask(fields)
        for (const { output, reasoning, finish_reason, logprobs } of outputs!) {
          expect([finish_reason, validate(JSON.parse(output))]).toEqual(['stop', true])
          expect(reasoning?.length).toBeGreaterThan(0)
          expect(logprobs?.map(({ token }) => token).join('')).toBe(output)
        }
        expect(usage.reasoning_tokens).toBeGreaterThan(0)
        expect(usage.completion_tokens).toBeLessThanOrEqual(2 * max_tokens)
      }
    }
  })

  it('streams the same', async () => {
    const fields = { max_tokens: 90, temperature: 1, seed: 5 }
    const whole = await ask(fields)
    const texts = { reasoning: '', delta: '' }
    const response = await post({ ...fields, stream: true })
    for await (const { event, data } of parseEvents(response.body!)) {
      if (event === 'reasoning' || event === 'delta') {
        texts[event] += (JSON.parse(data) as { text: string }).text
      }
    }
    expect(texts).toEqual({ reasoning: whole.reasoning, delta: whole.output })
  })

  it('answers without a thought where it has none, and no format is required', async () => {
    const { output, reasoning, usage } = await ask({
      response_format: null,
      max_tokens: 12,
      temperature: 0,
    })
    expect(output).not.toBe('')
    expect(reasoning).toBeUndefined()
    expect(usage.reasoning_tokens).toBe(0)
  })
})
