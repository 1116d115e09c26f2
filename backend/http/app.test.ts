import { FormData } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  FakeEngine,
  FakeProcessor,
  makeCertificates,
  startTestBackend,
  type TestBackend,
} from '../../test/fake-backend.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { maxFormFieldBytes, maxImageBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { parseEvents } from '../../shared/api/sse.ts'
import type { CertificateSet } from '../../scripts/start/certificates.ts'

const json = { 'content-type': 'application/json' }
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47)

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
beforeEach(async () => {
  backend = await startTestBackend({ certificates, transport: webOfOneImage })
})
afterEach(() => backend.stop())

/** The whole network as seen from the server: one picture. */
async function webOfOneImage(url: string): Promise<Response> {
  if (url !== 'https://pictures.org/a.jpg') return new Response('', { status: 404 })
  return new Response(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))
}

function post(path: string, body: unknown, headers: Record<string, string> = json) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return backend.fetch(path, { method: 'POST', headers, body: text })
}

function imageForm(files: readonly Uint8Array[], fields: Record<string, string> = {}): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries({ prompt: 'What is this?', ...fields })) {
    form.append(name, value)
  }
  for (const file of files) form.append('images', new Blob([file]), '<|im_end|>.png')
  return form
}

function postForm(form: FormData, path = '/generate/image') {
  return backend.fetch(path, { method: 'POST', body: form })
}

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
      usage: { prompt_tokens: 7, image_tokens: 0, completion_tokens: 4 },
      timings: {
        prepare_ms: expect.any(Number),
        queue_ms: 1,
        vision_ms: 2,
        prefill_ms: 3,
        decode_ms: 4,
        total_ms: expect.any(Number),
      },
      request_id: 'abc_12345',
    })
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

      const events: { event: string; data: Record<string, unknown> }[] = []
      for await (const { event, data } of parseEvents(response.body!)) {
        events.push({ event, data: JSON.parse(data) as Record<string, unknown> })
      }
      expect(events.map(({ event }) => event)).toEqual(['queued', 'delta', 'delta', 'delta', 'end'])
      const text = events.map(({ data }) => data['text'] ?? '').join('')
      expect(text).toBe('A red circle.')
      expect(events.at(-1)?.data).toMatchObject({
        finish_reason: 'stop',
        usage: { completion_tokens: 4 },
        request_id: response.headers.get('x-request-id'),
      })
    },
  )
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

describe('bad input', () => {
  interface BadRequest {
    readonly path?: string
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string | FormData | URLSearchParams | Uint8Array
  }
  const text = (fields: object): BadRequest => ({ headers: json, body: JSON.stringify(fields) })
  const image = (body: FormData): BadRequest => ({ path: '/generate/image', body })
  const multipart = (body: string, boundary = '; boundary=x'): BadRequest => ({
    path: '/generate/image',
    headers: { 'content-type': `multipart/form-data${boundary}` },
    body,
  })
  const urlForm = (fields: string): BadRequest => ({
    path: '/generate/image_url',
    body: new URLSearchParams(fields),
  })
  const otherName = new FormData()
  otherName.append('prompt', 'a')
  otherName.append('photo', new Blob([png]), 'secret-name.png')
  const fileInUrlForm = imageForm([png], { image_url: 'https://pictures.org/a.jpg' })

  const cases: [string, BadRequest, number, string, string | null][] = [
    ['invalid JSON', { headers: json, body: '{"prompt":' }, 400, 'invalid_json', null],
    [
      'JSON that is not UTF-8',
      { headers: json, body: Uint8Array.of(0x22, 0xff, 0x22) },
      400,
      'invalid_json',
      null,
    ],
    ['an empty body', { headers: json, body: '' }, 400, 'invalid_json', null],
    ['an array', text([]), 400, 'invalid_field', null],
    ['a missing prompt', text({}), 400, 'invalid_field', 'prompt'],
    ['an empty prompt', text({ prompt: '' }), 400, 'invalid_field', 'prompt'],
    ['a prompt of the wrong type', text({ prompt: 5 }), 400, 'invalid_field', 'prompt'],
    ['temperature -1', text({ prompt: 'a', temperature: -1 }), 400, 'invalid_field', 'temperature'],
    [
      'temperature "hot"',
      text({ prompt: 'a', temperature: 'hot' }),
      400,
      'invalid_field',
      'temperature',
    ],
    [
      'temperature NaN',
      { headers: json, body: '{"prompt":"a","temperature":NaN}' },
      400,
      'invalid_json',
      null,
    ],
    [
      'temperature NaN in a form',
      image(imageForm([png], { temperature: 'NaN' })),
      400,
      'invalid_field',
      'temperature',
    ],
    ['top_p 0', text({ prompt: 'a', top_p: 0 }), 400, 'invalid_field', 'top_p'],
    ['top_p 1.1', text({ prompt: 'a', top_p: 1.1 }), 400, 'invalid_field', 'top_p'],
    ['max_tokens 0', text({ prompt: 'a', max_tokens: 0 }), 400, 'invalid_field', 'max_tokens'],
    [
      'stream "maybe"',
      image(imageForm([png], { stream: 'maybe' })),
      400,
      'invalid_field',
      'stream',
    ],
    [
      'a JSON body over the limit',
      text({ prompt: 'a'.repeat(maxJsonBytes) }),
      413,
      'body_too_large',
      null,
    ],
    ['no content type', { body: Uint8Array.of(1) }, 415, 'unsupported_media_type', null],
    [
      'text sent as a form',
      { body: new URLSearchParams('prompt=a') },
      415,
      'unsupported_media_type',
      null,
    ],
    [
      'a compressed body',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' },
      415,
      'unsupported_media_type',
      null,
    ],
    [
      'images sent as JSON',
      { ...text({ prompt: 'a' }), path: '/generate/image' },
      415,
      'unsupported_media_type',
      null,
    ],
    ['no images', image(imageForm([])), 400, 'missing_images', 'images'],
    ['an empty image', image(imageForm([png, new Uint8Array()])), 400, 'empty_image', 'images'],
    [
      '17 images',
      image(imageForm(Array.from({ length: 17 }, () => png))),
      400,
      'too_many_images',
      'images',
    ],
    [
      'an image over the limit',
      image(imageForm([new Uint8Array(maxImageBytes + 1)])),
      413,
      'body_too_large',
      'images',
    ],
    [
      'fields over the limit',
      image(imageForm([png], { a: 'a'.repeat(3e6), b: 'a'.repeat(maxFormFieldBytes - 3e6) })),
      413,
      'body_too_large',
      null,
    ],
    ['files under another name', image(otherName), 400, 'invalid_field', 'photo'],
    [
      'a file among URLs',
      { path: '/generate/image_url', body: fileInUrlForm },
      400,
      'invalid_field',
      'images',
    ],
    ['no boundary', multipart('--x--', ''), 400, 'invalid_multipart', null],
    ['an empty multipart body', multipart(''), 400, 'invalid_multipart', null],
    ['multipart that is none', multipart('hello'), 400, 'invalid_multipart', null],
    [
      'multipart cut inside a file',
      multipart('--x\r\ncontent-disposition: form-data; name="images"; filename="a"\r\n\r\nabc'),
      400,
      'invalid_multipart',
      null,
    ],
    [
      'multipart cut inside a field',
      multipart('--x\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nabc'),
      400,
      'invalid_multipart',
      null,
    ],
    [
      'multipart cut inside a header',
      multipart('--x\r\ncontent-disposition: form-da'),
      400,
      'invalid_multipart',
      null,
    ],
    [
      'a part without a name',
      multipart('--x\r\ncontent-disposition: form-data\r\n\r\na\r\n--x--'),
      400,
      'invalid_multipart',
      null,
    ],
    [
      '65 fields',
      multipart(
        `${'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\na\r\n'.repeat(65)}--x--`,
      ),
      400,
      'invalid_multipart',
      null,
    ],
    [
      'two prompts',
      urlForm('prompt=a&prompt=b&image_url=https://pictures.org/a.jpg'),
      400,
      'invalid_field',
      'prompt',
    ],
    ['no image_url', urlForm('prompt=a'), 400, 'invalid_field', 'image_url'],
    [
      'names of built-in properties',
      urlForm('toString=a&__proto__=b&constructor=c&stream=constructor'),
      400,
      'invalid_field',
      'prompt',
    ],
    [
      'a URL into our network',
      urlForm('prompt=a&image_url=http://127.0.0.1/secret?token=1'),
      400,
      'image_url_refused',
      'image_url',
    ],
    [
      'a URL that answers 404',
      urlForm('prompt=a&image_url=https://pictures.org/none'),
      422,
      'image_fetch_failed',
      'image_url',
    ],
    ['an unknown address', { path: '/generate/poem', ...text({}) }, 404, 'not_found', null],
    [
      'a wrong method',
      { method: 'PUT', ...text({ prompt: 'a' }) },
      405,
      'method_not_allowed',
      null,
    ],
    [
      'a malformed deadline',
      { headers: { ...json, 'x-deadline-ms': 'soon' }, body: '{"prompt":"a"}' },
      400,
      'invalid_field',
      'x-deadline-ms',
    ],
  ]

  it.each(cases)(
    'answers %s with its status and the one body',
    async (_name, bad, status, code, param) => {
      const { path = '/generate/text', ...init } = bad
      const response = await backend.fetch(path, { method: 'POST', ...init })
      const answer = await response.text()
      expect({ status: response.status, body: JSON.parse(answer) as unknown }).toEqual({
        status,
        body: {
          error: {
            message: expect.any(String),
            type: 'invalid_request_error',
            param,
            code,
            request_id: response.headers.get('x-request-id'),
          },
        },
      })
      expect(answer).not.toMatch(/node_modules|\.[cm]?[jt]s\b|secret|busboy|dicer/i)
      expect(backend.engine.jobs).toHaveLength(0)
      expect((await post('/generate/text', { prompt: 'still there?' })).status).toBe(200)
    },
  )

  it('names the methods of an address in Allow', async () => {
    const response = await backend.fetch('/generate/image')
    expect(response.headers.get('allow')).toBe('POST')
  })

  it('names the media types it takes', async () => {
    const response = await backend.fetch('/generate/image_url', {
      method: 'POST',
      body: Uint8Array.of(1),
    })
    expect(await response.text()).toContain(
      'application/json or application/x-www-form-urlencoded or multipart/form-data',
    )
  })

  it.each([true, false])(
    'turns the unknown into internal and tells no more (stream: %s)',
    async (stream) => {
      backend.processor.failure = new Error('libvips: /secret/path is broken')
      const response = await post('/generate/text', { prompt: 'a', stream })
      expect(response.status).toBe(500)
      expect(await response.json()).toMatchObject({
        error: {
          code: 'internal',
          type: 'server_error',
          message: 'Something went wrong on our side',
        },
      })
    },
  )

  it('passes on the errors of processor and engine, with Retry-After where it helps', async () => {
    backend.processor.failure = new ServiceError('queue_full', 'All 8 places are taken')
    const response = await post('/generate/text', { prompt: 'a', stream: true })
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('2')
  })
})

describe('GET /health', () => {
  it('is healthy when the model is ready', async () => {
    const response = await backend.fetch('/health')
    expect([response.status, await response.json()]).toEqual([200, { status: 'healthy' }])
  })

  it.each(['model_loading', 'engine_restarting'] as const)('tells %s', async (state) => {
    backend.readiness = state
    const response = await backend.fetch('/health')
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'unavailable', reason: state },
    ])
  })
})

describe('GET /status', () => {
  it('shows the engine’s counters', async () => {
    const response = await backend.fetch('/status')
    expect(await response.json()).toEqual({
      inference: 'ready',
      engine: { slots: 4, slotsInUse: 0, queued: 0, queueLimit: 8, cachedTokens: 0, steps: 0 },
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
        client: 'edge',
        key_id: 'key_1',
        bytes_in: 19,
        images: 0,
        stream: false,
        finish_reason: 'stop',
        completion_tokens: 4,
        prefill_ms: 3,
        decode_ms: 4,
      },
      { route: 'unknown', status: 404, code: 'not_found' },
    ])
    expect(JSON.stringify(backend.logLines)).not.toContain('hidden')
  })
})
