import { FormData } from 'undici'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  makeCertificates,
  startTestBackend,
  type TestBackend,
} from '../../test/support/backends/test-backend.ts'
import {
  imageForm,
  jsonHeaders as json,
  png,
  webOfOneImage,
} from '../../test/support/backends/plain-requests.ts'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
beforeEach(async () => {
  backend = await startTestBackend({ certificates, transport: webOfOneImage })
})
afterEach(() => backend.stop())

function post(path: string, body: unknown, headers: Record<string, string> = json) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return backend.fetch(path, { method: 'POST', headers, body: text })
}

function postForm(form: FormData, path = '/generate/image') {
  return backend.fetch(path, { method: 'POST', body: form })
}

it('every answer states what an image may cost, errors included', async () => {
  for (const [path, status] of [
    ['/health', 200],
    ['/v1/models', 200],
    ['/nothing', 404],
  ] as const) {
    const { headers, status: answered } = await backend.fetch(path)
    expect([answered, headers.get('x-image-tokens')]).toEqual([status, '1338'])
  }
})

describe('POST /generate/text', () => {
  it('answers with output, usage, timings and the request id', async () => {
    const response = await post(
      '/generate/text',
      { prompt: 'Hello' },
      { ...json, 'x-request-id': 'abc_12345' },
    )
    expect(response.status).toBe(200)
    expect(response.headers.get('x-request-id')).toBe('abc_12345')
    expect(await response.json()).toEqual({
      output: 'A red circle.',
      finish_reason: 'stop',
      usage: { prompt_tokens: 7, image_tokens: 0, completion_tokens: 4, cached_tokens: 0 },
      timings: {
        prepare_ms: expect.any(Number) as number,
        queue_ms: 1,
        vision_ms: 2,
        prefill_ms: 3,
        decode_ms: 4,
        total_ms: expect.any(Number) as number,
      },
      request_id: 'abc_12345',
    })
  })

  it('gives the edge the code of an error outside its body, whatever form that has', async () => {
    for (const path of ['/generate/text', '/v1/messages']) {
      const response = await post(path, { max_tokens: -1 })
      expect(response.status).toBe(400)
      expect(response.headers.get('x-error-code')).toBe('invalid_field')
    }
  })

  it('hands all fields to the engine', async () => {
    await post('/generate/text', {
      prompt: 'Hello',
      system_prompt: 'Be brief',
      max_tokens: 9,
      temperature: 0.1,
      top_p: 0.2,
      seed: 3,
    })
    expect(backend.engine.jobs[0]).toMatchObject({
      maxTokens: 9,
      sampling: { temperature: 0.1, topP: 0.2, seed: 3 },
    })
    expect(backend.processor.prepared[0]?.messages[0]).toEqual({
      role: 'system',
      content: [{ type: 'text', text: 'Be brief' }],
    })
  })

  it.each([{ stream: true }, { accept: 'text/event-stream' }])(
    'streams the same text when asked by %o',
    async ({ accept, ...fields }: { accept?: string; stream?: boolean }) => {
      const headers = accept === undefined ? json : { ...json, accept }
      const response = await post('/generate/text', { prompt: 'Hello', ...fields }, headers)
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('x-accel-buffering')).toBe('no')
      expect(response.headers.get('x-request-id')).toMatch(/^req_/)

      const events: { event: string; data: { text?: string } }[] = []
      for await (const { event, data } of parseEvents(response.body!)) {
        events.push({ event, data: JSON.parse(data) as { text?: string } })
      }
      expect(events.map(({ event }) => event)).toEqual(['queued', 'delta', 'delta', 'delta', 'end'])
      const text = events.map(({ data }) => data.text ?? '').join('')
      expect(text).toBe('A red circle.')
      expect(events.at(-1)?.data).toMatchObject({
        finish_reason: 'stop',
        usage: { completion_tokens: 4 },
        request_id: response.headers.get('x-request-id'),
      })
    },
  )
})

describe('choices, stop strings and log probabilities', () => {
  interface Whole {
    output: string
    finish_reason: string
    logprobs?: { token: string }[]
    outputs?: { output: string; finish_reason: string; logprobs?: { token: string }[] }[]
    usage: unknown
  }
  type Delta = { index?: number; text: string; logprobs?: { token: string }[] }

  /** The same request whole, and put together from its stream. */
  async function both(fields: Record<string, unknown>) {
    const body = { prompt: 'Hello', ...fields }
    const whole = (await (await post('/generate/text', body)).json()) as Whole
    const deltas: Delta[] = []
    let end: unknown
    const response = await post('/generate/text', { ...body, stream: true })
    for await (const { event, data } of parseEvents(response.body!)) {
      if (event === 'delta') deltas.push(JSON.parse(data) as Delta)
      if (event === 'end') end = JSON.parse(data)
    }
    return { whole, deltas, end }
  }

  it('returns every choice, complete and streamed alike', async () => {
    const { whole, deltas, end } = await both({ n: 3, logprobs: true, top_logprobs: 1 })
    expect(whole.outputs).toHaveLength(3)
    expect(whole).toMatchObject(whole.outputs![0]!)
    for (const [index, choice] of whole.outputs!.entries()) {
      const own = deltas.filter((delta) => delta.index === index)
      expect(own.map(({ text }) => text).join('')).toBe(choice.output)
      expect(own.flatMap(({ logprobs }) => logprobs)).toEqual(choice.logprobs)
      expect(choice.logprobs!.map(({ token }) => token).join('')).toBe(choice.output)
    }
    expect(end).toMatchObject({
      finish_reason: 'stop',
      finish_reasons: ['stop', 'stop', 'stop'],
      usage: whole.usage,
    })
  })

  it('says nothing of choices and log probabilities unless asked', async () => {
    const { whole, deltas, end } = await both({})
    expect(Object.keys(whole)).not.toContain('outputs')
    expect(Object.keys(whole)).not.toContain('logprobs')
    expect(deltas).toEqual([{ text: 'A red' }, { text: ' circle' }, { text: '.' }])
    expect(Object.keys(end as object)).not.toContain('finish_reasons')
  })

  it('cuts at a stop string that two tokens share, whole and streamed alike', async () => {
    const { whole, deltas } = await both({ stop: ['d cir', 'never'], logprobs: true })
    expect(whole.output).toBe('A re')
    expect(whole.logprobs?.map(({ token }) => token)).toEqual(['A', ' ', 'r', 'e'])
    expect(deltas.map(({ text }) => text)).toEqual(['A re'])
  })

  it('returns empty log probabilities for an empty answer', async () => {
    const { whole, deltas } = await both({ stop: 'A', logprobs: true })
    expect(whole).toMatchObject({ output: '', finish_reason: 'stop', logprobs: [] })
    expect(deltas).toEqual([])
  })

  it('hands the rules to the engine, from JSON and from a form', async () => {
    const fields = { top_k: 5, min_p: 0.1, presence_penalty: 1, frequency_penalty: -1, n: 2 }
    const biased = { ...fields, repetition_penalty: 1.5, logit_bias: { 7: -3 } }
    await post('/generate/text', { prompt: 'Hello', ...biased })
    const texts = Object.entries(biased).map(([name, value]) => [name, JSON.stringify(value)])
    await postForm(imageForm([png], Object.fromEntries(texts) as Record<string, string>))
    for (const job of backend.engine.jobs) {
      expect(job).toMatchObject({
        choices: 2,
        sampling: {
          topK: 5,
          minP: 0.1,
          presencePenalty: 1,
          frequencyPenalty: -1,
          repetitionPenalty: 1.5,
          logitBias: [[7, -3]],
        },
      })
    }
    expect(backend.engine.jobs).toHaveLength(2)
  })
})

describe('POST /generate/image', () => {
  it.each(['images', 'images[]', 'image'])('takes files as %s', async (name) => {
    const form = new FormData()
    form.append('prompt', 'What is this?')
    form.append(name, new Blob([png]), 'a.png')
    form.append(name, new Blob([Uint8Array.of(7, 8)]), 'b.png')
    const response = await postForm(form)
    expect(response.status).toBe(200)
    expect(backend.processor.prepared[0]?.images.map((image) => [...image])).toEqual([
      [...png],
      [7, 8],
    ])
  })

  it('reads numbers and booleans of form fields', async () => {
    const fields = { temperature: '0', max_tokens: '12', seed: '5', stream: 'false', unknown: 'x' }
    const response = await postForm(imageForm([png], fields))
    expect(response.status).toBe(200)
    expect(backend.engine.jobs[0]).toMatchObject({
      maxTokens: 12,
      sampling: { temperature: 0, seed: 5 },
    })
  })

  it('keeps the bytes of a large file', async () => {
    const large = new Uint8Array(3_000_000).map((_, index) => index % 251)
    await postForm(imageForm([large]))
    const received = backend.processor.prepared[0]?.images[0]
    expect(Buffer.compare(received!, large)).toBe(0)
  })
})

describe('POST /generate/image_url', () => {
  const url = 'https://pictures.org/a.jpg'
  const form = (names: readonly string[], make: () => FormData | URLSearchParams) => {
    const body = make()
    body.append('prompt', 'What is this?')
    for (const name of names) body.append(name, url)
    return body
  }
  const twice = ['image_url', 'image_url']
  const bodies: [string, number, () => FormData | URLSearchParams | string][] = [
    ['JSON with one URL', 1, () => JSON.stringify({ prompt: 'a', image_url: url })],
    ['JSON with two URLs', 2, () => JSON.stringify({ prompt: 'a', image_url: [url, url] })],
    ['a URL-encoded form', 2, () => form(twice, () => new URLSearchParams())],
    ['a multipart form', 2, () => form(twice, () => new FormData())],
    ['a form with brackets', 2, () => form(['image_url[]', 'image_url[]'], () => new FormData())],
  ]
  it.each(bodies)('takes %s', async (_name, count, make) => {
    const body = make()
    const headers = typeof body === 'string' ? json : {}
    const response = await backend.fetch('/generate/image_url', { method: 'POST', headers, body })
    expect(response.status).toBe(200)
    expect(backend.processor.prepared[0]?.images).toHaveLength(count)
  })
})

describe('GET /health', () => {
  it('is healthy when the model is ready', async () => {
    const response = await backend.fetch('/health')
    expect([response.status, await response.json()]).toEqual([200, { status: 'healthy' }])
  })

  it.each(['model_loading', 'engine_restarting'] as const)('reports %s', async (state) => {
    backend.readiness = state
    const response = await backend.fetch('/health')
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'unavailable', reason: state },
    ])
  })
})

describe('GET /livez', () => {
  it.each(['ready', 'model_loading', 'shutting_down'] as const)(
    'is alive when %s',
    async (state) => {
      backend.readiness = state
      const response = await backend.fetch('/livez')
      expect([response.status, await response.json()]).toEqual([200, { status: 'alive' }])
    },
  )
})

describe('GET /readyz', () => {
  const allHold = {
    model_loaded: true,
    test_generation: true,
    queue: true,
    certificates: true,
    not_draining: true,
  }

  async function readyz() {
    const response = await backend.fetch('/readyz')
    const { status, checks } = (await response.json()) as Record<string, unknown>
    return [response.status, status, checks]
  }

  it('is ready when every check passes, and reports the start in numbers', async () => {
    const response = await backend.fetch('/readyz')
    expect([response.status, await response.json()]).toEqual([
      200,
      {
        status: 'ready',
        checks: allHold,
        startup: {
          engine_starts: 1,
          seconds_since_start: 0.5,
          downloaded_bytes: 0,
          bytes_to_download: 0,
          converted_bytes: 0,
          bytes_to_convert: 0,
          loaded_bytes: 0,
          bytes_to_load: 0,
        },
      },
    ])
  })

  it.each([
    ['model_loading', { model_loaded: false, test_generation: false }],
    ['engine_restarting', { test_generation: false }],
  ] as const)('is not ready when %s', async (state, failing) => {
    backend.readiness = state
    expect(await readyz()).toEqual([503, 'not_ready', { ...allHold, ...failing }])
  })

  it.each([[{ queued: 256, queueLimit: 256 }], [{ queuedWork: 4_000, queueWorkLimit: 4_000 }]])(
    'is not ready, but healthy, with a full queue of %o',
    async (counters) => {
      const idle = backend.engine.snapshot()
      backend.engine.snapshot = () => ({ ...idle, ...counters })
      expect(await readyz()).toEqual([503, 'not_ready', { ...allHold, queue: false }])
      expect((await backend.fetch('/health')).status).toBe(200)
    },
  )

  it('is not ready with a certificate that has ended', async () => {
    backend.certificatesAreValid = false
    expect(await readyz()).toEqual([503, 'not_ready', { ...allHold, certificates: false }])
  })
})

describe('GET /status', () => {
  it('shows the engine’s counters', async () => {
    const response = await backend.fetch('/status')
    expect(await response.json()).toEqual({
      inference: 'ready',
      model: expect.objectContaining({
        id: 'kimi-vl-nano',
        preset: null,
        reasoning: false,
      }) as object,
      startup: {
        engine_starts: 1,
        seconds_since_start: 0.5,
        downloaded_bytes: 0,
        bytes_to_download: 0,
        converted_bytes: 0,
        bytes_to_convert: 0,
        loaded_bytes: 0,
        bytes_to_load: 0,
      },
      provider: { name: 'cpu', reason: 'PROVIDER=cpu', layers: { cpu: 4, gpu: 0 } },
      engine: backend.engine.snapshot(),
      certificates: [],
    })
  })
})

describe('the log', () => {
  it('has one line a request, without what was asked', async () => {
    await backend.fetch('/generate/text?token=hidden', {
      method: 'POST',
      headers: { ...json, 'x-key-id': 'key_1', 'x-request-id': 'abc_12345' },
      body: JSON.stringify({ prompt: 'hidden' }),
    })
    await backend.fetch('/hidden')
    expect(backend.logLines).toMatchObject([
      {
        request_id: 'abc_12345',
        method: 'POST',
        route: '/generate/text',
        status: 200,
        address: '127.0.0.1',
        client_name: 'edge',
        key_id: 'key_1',
        request_bytes: 19,
        images: 0,
        stream: false,
        finish_reason: 'stop',
        completion_tokens: 4,
        prefill_ms: 3,
        decode_ms: 4,
      },
      { route: null, status: 404, code: 'not_found' },
    ])
    expect(JSON.stringify(backend.logLines)).not.toContain('hidden')
  })
})
