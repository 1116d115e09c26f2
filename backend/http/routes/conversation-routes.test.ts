import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import {
  makeCertificates,
  startTestBackend,
  type TestBackend,
} from '../../../test/support/backends/test-backend.ts'

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
afterEach(() => backend.stop())

const url = 'https://pictures.org/a.jpg'
const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)
const dataUri = `data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`

async function start(fetchesImages = true, reasons = false) {
  let fetched = 0
  backend = await startTestBackend({
    certificates,
    fetchesImages,
    reasons,
    transport: async () => {
      fetched += 1
      return new Response(jpeg)
    },
  })
  return { fetched: () => fetched }
}

async function ask(path: string, body: unknown) {
  const response = await backend.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as object, response }
}

describe('conversations', () => {
  it('reach the model as they were sent, through every door', async () => {
    await start()
    const image = { type: 'image', param: expect.any(String) as string, detail: 'high' }
    const say = (text: string) => ({ type: 'text', text })
    const expected = [
      { role: 'system', content: [say('Be brief')] },
      { role: 'user', content: [say('This'), image, image, say('?')] },
      { role: 'assistant', content: [say('A cat')] },
      { role: 'user', content: [say('Sure?')] },
    ]
    const rest = [
      { role: 'assistant', content: 'A cat' },
      { role: 'user', content: 'Sure?' },
    ]
    await ask('/v1/chat/completions', {
      messages: [
        { role: 'developer', content: 'Be brief' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'This' },
            { type: 'image_url', image_url: { url: dataUri } },
            { type: 'image_url', image_url: { url } },
            { type: 'text', text: '?' },
          ],
        },
        ...rest,
      ],
    })
    await ask('/v1/responses', {
      instructions: 'Be brief',
      input: [
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'This' },
            { type: 'input_image', image_url: dataUri },
            { type: 'input_image', image_url: url },
            { type: 'input_text', text: '?' },
          ],
        },
        { type: 'reasoning', summary: [] },
        ...rest,
      ],
    })
    await ask('/v1/messages', {
      max_tokens: 5,
      system: 'Be brief',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'This' },
            {
              type: 'image',
              source: { type: 'base64', data: Buffer.from(jpeg).toString('base64') },
            },
            { type: 'image', source: { type: 'url', url } },
            { type: 'text', text: '?' },
          ],
        },
        ...rest,
      ],
    })
    const { prepared } = backend.processor
    expect(prepared.map(({ messages }) => messages)).toMatchObject([expected, expected, expected])
    for (const { images } of prepared)
      expect(images.map((file) => Uint8Array.from(file))).toEqual([jpeg, jpeg])
  })

  const greeting = [{ role: 'user', content: 'Hi' }]
  const effortsOfChat = (path: string) => (effort: string | null) =>
    [path, { messages: greeting, reasoning_effort: effort }, 'reasoning_effort'] as const
  const effortsOfResponses = (path: string) => (effort: string | null) =>
    [path, { input: 'Hi', reasoning: { effort } }, 'reasoning.effort'] as const
  const types = (path: string) => (type: string) =>
    [path, { messages: greeting, max_tokens: 5, thinking: { type } }, 'thinking'] as const
  const wishes = {
    satisfiedByAll: [
      ...[null, 'minimal'].map(effortsOfChat('/v1/chat/completions')),
      ...[null, 'minimal'].map(effortsOfResponses('/v1/responses')),
    ],
    forThoughts: [
      ...['low', 'medium', 'high', 'xhigh', 'max'].flatMap((effort) => [
        effortsOfChat('/v1/chat/completions')(effort),
        effortsOfResponses('/v1/responses')(effort),
      ]),
      effortsOfChat('/v1/chat/completions/input_tokens')('low'),
      effortsOfResponses('/v1/responses/input_tokens')('low'),
      ...['enabled', 'adaptive'].map(types('/v1/messages')),
      types('/v1/messages/count_tokens')('enabled'),
    ],
    forNone: [
      effortsOfChat('/v1/chat/completions')('none'),
      effortsOfResponses('/v1/responses')('none'),
      types('/v1/messages')('disabled'),
    ],
    ofNoMeaning: [
      effortsOfChat('/v1/chat/completions')('huge'),
      effortsOfResponses('/v1/responses')('huge'),
      types('/v1/messages')('between_tools'),
    ],
  }

  it.each([
    [true, wishes.forThoughts, wishes.forNone, 'this model always thinks before it answers'],
    [false, wishes.forNone, wishes.forThoughts, 'this model does not think before it answers'],
  ])(
    'with a model that thinks (%o) may wish what it does, and nothing else',
    async (reasons, satisfied, refused, why) => {
      await start(true, reasons)
      for (const [path, body] of [...wishes.satisfiedByAll, ...satisfied]) {
        expect(await ask(path, body), JSON.stringify(body)).toMatchObject({ status: 200 })
      }
      const refusals = [
        ...refused.map((wish) => [...wish, why] as const),
        ...wishes.ofNoMeaning.map((wish) => [...wish, 'this is not supported here'] as const),
      ]
      for (const [path, body, param, what] of refusals) {
        const { status, body: answer } = await ask(path, body)
        expect(status).toBe(400)
        expect(answer).toMatchObject({ error: { message: `${param}: ${what}` } })
      }
    },
  )

  it('stay whole when only Accept asks for a stream', async () => {
    await start()
    const { response } = await ask('/v1/chat/completions', {
      messages: [{ role: 'user', content: 'Hi' }],
    })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('x-usage')).toBe('7 0 4')
  })

  it('with URLs are refused where the server must not fetch', async () => {
    const { fetched } = await start(false)
    const content = [{ type: 'image_url', image_url: { url } }]
    const messages = [{ role: 'user', content }]
    expect((await ask('/v1/chat/completions', { messages })).body).toMatchObject({
      error: { code: 'image_url_refused', param: 'messages.0.content.0.image_url' },
    })
    expect(fetched()).toBe(0)
  })

  it.each([
    ['/v1/chat/completions', { messages: [] }, 'messages'],
    ['/v1/chat/completions', {}, 'messages'],
    [
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: [{ type: 'new' }] }] },
      /content/,
    ],
    ['/v1/responses', { input: [{ type: 'function_call' }] }, 'input.0.type'],
    ['/v1/responses', { input: [{ role: 'user' }] }, 'input.0.content'],
    ['/v1/responses', { input: 'a', text: { format: { type: 'grammar' } } }, /^text\.format/],
  ])('that make no sense are refused at %s, naming the field: %o', async (path, body, param) => {
    await start()
    const answer = (await ask(path, body)).body as { error: { param: string } }
    expect(answer.error.param).toMatch(param)
  })
})
