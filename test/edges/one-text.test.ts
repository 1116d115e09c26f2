import { readFileSync } from 'node:fs'
import { Anthropic } from '@anthropic-ai/sdk'
import * as fc from 'fast-check'
import { OpenAI } from 'openai'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import {
  type CertificateSet,
  createCertificates,
} from '../../shared/node/certificates/create-certificates.ts'
import { type NanoBackend, startNanoBackend } from '../support/backends/nano-backend.ts'
import { startTestEdge } from '../support/openapi/test-edge.ts'

const rootKey = 'one-text-key-3f9d0c7a51b2'

/** How many requests, each of which is sent in eight ways. */
const requests = Number(process.env['ONE_TEXT_REQUESTS'] ?? 25)

const pictures = ['g01.png', 'g02.png', 'g09.jpg', 'p02.png'].map((name) =>
  readFileSync(`test/golden/images/${name}`),
)

interface Question {
  readonly prompt: string
  readonly system: string | undefined
  /** Indices of pictures. */
  readonly images: readonly number[]
  readonly maxTokens: number
  readonly stop: readonly string[]
  /** Fields that have one name everywhere. */
  readonly rules: Readonly<Record<string, unknown>>
}

const share = (min: number, max: number) =>
  fc.integer({ min: 10 * min, max: 10 * max }).map((tenths) => tenths / 10)

const question: fc.Arbitrary<Question> = fc.record({
  prompt: fc.constantFrom('What is in the picture?', 'Describe this image.', 'Wie viele? 🟥', 'Hi'),
  system: fc.constantFrom(undefined, 'Be brief.', 'Antworte auf Deutsch.'),
  images: fc.array(fc.nat(pictures.length - 1), { maxLength: 2 }),
  maxTokens: fc.integer({ min: 1, max: 40 }),
  stop: fc.constantFrom([], ['.'], ['circle', 'and']),
  rules: fc.record(
    {
      seed: fc.integer(),
      temperature: fc.oneof(fc.constant(0), share(0, 2)),
      top_p: share(0.1, 1),
      top_k: fc.constantFrom(0, 5, 40),
      min_p: fc.constantFrom(0, 0.1),
      repetition_penalty: share(0.8, 1.5),
      presence_penalty: share(-1, 1),
      frequency_penalty: share(-1, 1),
    },
    { requiredKeys: ['seed'] },
  ),
})

let certificates: CertificateSet
let nano: NanoBackend
beforeAll(async () => {
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  certificates = await createCertificates(names, Date.now())
  nano = await startNanoBackend(certificates, () => Promise.reject(new Error('There is no web')))
})
afterAll(() => nano.stop())

const base64Of = (index: number) => pictures[index]!.toString('base64')
const mediaTypeOf = (index: number) => (index === 2 ? 'image/jpeg' : 'image/png')
const uriOf = (index: number) => `data:${mediaTypeOf(index)};base64,${base64Of(index)}`

/** The ways to ask a question, each of which gives a text. */
function waysTo(url: string): Record<string, (asked: Question) => Promise<string>> {
  const openai = new OpenAI({ apiKey: rootKey, baseURL: `${url}/v1`, maxRetries: 0 })
  const anthropic = new Anthropic({ apiKey: rootKey, baseURL: url, maxRetries: 0 })

  const native = (
    { prompt, system, images, maxTokens, stop, rules }: Question,
    stream: boolean,
  ) => {
    const form = new FormData()
    const fields = { prompt, max_tokens: maxTokens, stream, ...rules }
    for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
    if (system !== undefined) form.append('system_prompt', system)
    for (const text of stop) form.append('stop', text)
    for (const index of images) form.append('images', new Blob([pictures[index]!]))
    const json = JSON.stringify({ ...fields, system_prompt: system ?? null, stop })
    return fetch(`${url}/generate/${images.length > 0 ? 'image' : 'text'}`, {
      method: 'POST',
      headers: {
        'x-api-key': rootKey,
        ...(images.length === 0 && { 'content-type': 'application/json' }),
      },
      body: images.length > 0 ? form : json,
    })
  }
  const chat = ({ prompt, system, images, maxTokens, stop, rules }: Question) => ({
    model: 'kimi-vl',
    messages: [
      ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
      {
        role: 'user' as const,
        content: [
          ...images.map((index) => ({
            type: 'image_url' as const,
            image_url: { url: uriOf(index) },
          })),
          { type: 'text' as const, text: prompt },
        ],
      },
    ],
    max_completion_tokens: maxTokens,
    stop: [...stop],
    ...rules,
  })
  const responses = ({ prompt, system, images, maxTokens, stop, rules }: Question) => ({
    model: 'kimi-vl',
    instructions: system ?? null,
    input: [
      {
        role: 'user' as const,
        content: [
          ...images.map((index) => ({
            type: 'input_image' as const,
            image_url: uriOf(index),
            detail: 'auto' as const,
          })),
          { type: 'input_text' as const, text: prompt },
        ],
      },
    ],
    max_output_tokens: maxTokens,
    stop,
    ...rules,
  })
  const messages = ({ prompt, system, images, maxTokens, stop, rules }: Question) => ({
    model: 'kimi-vl',
    ...(system !== undefined && { system }),
    messages: [
      {
        role: 'user' as const,
        content: [
          ...images.map((index) => ({
            type: 'image' as const,
            source: {
              type: 'base64' as const,
              media_type: mediaTypeOf(index) as 'image/png',
              data: base64Of(index),
            },
          })),
          { type: 'text' as const, text: prompt },
        ],
      },
    ],
    max_tokens: maxTokens,
    stop_sequences: [...stop],
    ...rules,
  })
  return {
    'native, whole': async (asked) => {
      const response = await native(asked, false)
      return ((await response.json()) as { output: string }).output
    },
    'native, streamed': async (asked) => {
      let text = ''
      for await (const { event, data } of parseEvents((await native(asked, true)).body!)) {
        if (event === 'delta') text += (JSON.parse(data) as { text: string }).text
      }
      return text
    },
    'chat, whole': async (asked) => {
      const { choices } = await openai.chat.completions.create(chat(asked))
      return choices[0]!.message.content!
    },
    'chat, streamed': async (asked) => {
      let text = ''
      const stream = await openai.chat.completions.create({ ...chat(asked), stream: true })
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
      return text
    },
    'responses, whole': async (asked) =>
      (await openai.responses.create(responses(asked))).output_text,
    'responses, streamed': async (asked) => {
      let text = ''
      const stream = await openai.responses.create({ ...responses(asked), stream: true })
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') text += event.delta
      }
      return text
    },
    'messages, whole': async (asked) => {
      const { content } = await anthropic.messages.create(messages(asked))
      return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    'messages, streamed': async (asked) => {
      const { content } = await anthropic.messages.stream(messages(asked)).finalMessage()
      return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
  }
}

describe('one request', () => {
  it('has one text through every door, whole and streamed', { timeout: 3_600_000 }, async () => {
    const edge = await startTestEdge({ url: nano.url, certificates }, { rootKey })
    onTestFinished(() => edge.stop())
    const ways = waysTo(edge.url)
    const texts = new Set<string>()
    for (const asked of fc.sample(question, { numRuns: requests, seed: 18 })) {
      const told: Record<string, string> = {}
      for (const [way, ask] of Object.entries(ways)) told[way] = await ask(asked)
      const expected = told['native, whole']!
      texts.add(expected)
      for (const way of Object.keys(ways)) {
        expect({ asked, way, text: told[way] }).toEqual({ asked, way, text: expected })
      }
    }
    // They are indeed different requests.
    expect(texts.size).toBeGreaterThan(requests / 2)
  })
})
