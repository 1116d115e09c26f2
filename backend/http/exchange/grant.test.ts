import { FormData } from 'undici'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeModel, fakeModelInfo } from '../../../test/support/inference/fake-model.ts'
import {
  FakeProcessor,
  makeCertificates,
  startTestBackend,
  type TestBackend,
} from '../../../test/support/backends/test-backend.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { createEngine } from '../../engine/engine.ts'

/** Prompts of 7 tokens, and one for each image. */
const promptTokens = 7

/** Placeholders are control tokens, which the fake processor does not tell apart. */
const editLogits = (_: unknown, logits: Float32Array) => {
  logits[fakeModelInfo.imageTokenId] = -100
}

let certificates: CertificateSet
let processor: FakeProcessor
let fetched: number
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
beforeEach(async () => {
  processor = new FakeProcessor()
  fetched = 0
  backend = await startTestBackend({
    certificates,
    parts: {
      processor,
      engine: createEngine({ model: new FakeModel({}, { editLogits }), queueLimit: 8 }),
    },
    transport: async () => {
      fetched += 1
      return new Response(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))
    },
  })
})
afterEach(() => backend.stop())

type Body = Record<string, unknown> | FormData

async function ask(path: string, body: Body, headers: Record<string, string>) {
  const form = body instanceof FormData
  const response = await backend.fetch(path, {
    method: 'POST',
    headers: form ? headers : { 'content-type': 'application/json', ...headers },
    body: form ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const text = (body: Record<string, unknown>, headers: Record<string, string> = {}) =>
  ask('/generate/text', { prompt: 'Hello', max_tokens: 50, ...body }, headers)

function images(count: number): FormData {
  const form = new FormData()
  form.append('prompt', 'What is this?')
  form.append('max_tokens', '50')
  for (let i = 0; i < count; i++) form.append('images', new Blob([Uint8Array.of(1)]), 'a.png')
  return form
}

describe('x-granted-tokens', () => {
  it.each([1, 3])('ends %i answers where the grant ends', async (n) => {
    const { body } = await text({ n }, { 'x-granted-tokens': '27' })
    expect(body).toMatchObject({
      finish_reason: 'length',
      usage: { prompt_tokens: promptTokens, completion_tokens: 20 },
    })
  })

  it('counts images', async () => {
    const { body } = await ask('/generate/image', images(2), { 'x-granted-tokens': '15' })
    expect(body).toMatchObject({ usage: { prompt_tokens: 9, completion_tokens: 6 } })
  })

  it('changes nothing for what stays below, and for callers that send none', async () => {
    const alone = await text({ max_tokens: 5 })
    expect(alone.body).toMatchObject({ usage: { completion_tokens: 5 } })
    const granted = await text({ max_tokens: 5 }, { 'x-granted-tokens': '1000' })
    expect(granted.body).toMatchObject({ output: alone.body.output, usage: alone.body.usage })
  })

  it.each(['7', '3', '0'])('refuses a prompt of 7 tokens when %s are granted', async (granted) => {
    expect(await text({}, { 'x-granted-tokens': granted })).toMatchObject({
      status: 429,
      body: {
        error: {
          code: 'quota_exceeded',
          message: expect.stringContaining(`${granted} tokens`) as string,
        },
      },
    })
  })
})

describe('x-granted-images', () => {
  it('lets as many images through as are granted', async () => {
    const { status } = await ask('/generate/image', images(2), { 'x-granted-images': '2' })
    expect(status).toBe(200)
  })

  it('refuses more files before they are decoded', async () => {
    expect(await ask('/generate/image', images(2), { 'x-granted-images': '1' })).toMatchObject({
      status: 429,
      body: { error: { code: 'quota_exceeded', param: 'images' } },
    })
    expect(processor.prepared).toEqual([])
  })

  it('refuses more URLs before they are fetched', async () => {
    const body = { prompt: 'Hello', image_url: ['https://a.org/a.jpg', 'https://a.org/b.jpg'] }
    const headers = { 'x-granted-images': '1' }
    expect(await ask('/generate/image_url', body, headers)).toMatchObject({
      status: 429,
      body: { error: { code: 'quota_exceeded', param: 'image_url' } },
    })
    expect(fetched).toBe(0)
  })
})

it.each(['x-granted-tokens', 'x-granted-images'])('%s must be a whole number', async (name) => {
  for (const value of ['', '-1', '1.5', 'many', '9'.repeat(16)]) {
    const { status, body } = await ask('/generate/image', images(1), { [name]: value })
    expect([status, body]).toMatchObject([400, { error: { code: 'invalid_field', param: name } }])
  }
})
