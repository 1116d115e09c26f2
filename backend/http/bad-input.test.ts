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
import { ServiceError } from '../../shared/api/errors.ts'
import { maxFormFieldBytes, maxImageBytes, maxJsonBytes } from '../../shared/api/limits.ts'
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
            message: expect.any(String) as string,
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

  it('says of a file among URLs that none belongs there', async () => {
    const response = await backend.fetch('/generate/image_url', {
      method: 'POST',
      body: fileInUrlForm,
    })
    expect(await response.json()).toMatchObject({
      error: { message: 'No file is expected here, but "images" is one' },
    })
  })

  it('names the media type that came instead', async () => {
    const body = new URLSearchParams('prompt=a')
    const response = await backend.fetch('/generate/text', { method: 'POST', body })
    expect(await response.json()).toMatchObject({
      error: {
        message: 'Content-Type must be application/json, not application/x-www-form-urlencoded',
      },
    })
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
    'turns the unknown into internal and reveals no more (stream: %s)',
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
