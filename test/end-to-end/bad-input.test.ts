import { request } from 'node:http'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { maxJsonBytes } from '../../shared/api/limits.ts'
import type { Call, Product } from './product.ts'
import { answerOf, formCall, goldenImage, jsonCall } from './requests.ts'
import { setups, startSetup, type RunningSetup } from './setups.ts'

const prompt = 'Describe this image.'

/** A PNG whose header claims far more pixels than the file holds. */
function hugePng(): Uint8Array<ArrayBuffer> {
  const side = 40_000
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  // 8 bits per channel, RGB; compression, filter and interlace 0.
  header.set([8, 2], 8)
  const chunks = [pngChunk('IHDR', header), pngChunk('IDAT', Buffer.alloc(16)), pngChunk('IEND')]
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...chunks])
}

function pngChunk(type: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const body = Buffer.concat([Buffer.from(type), data])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  chunk.set(body, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="5" height="5"/></svg>'

const image = (content: string | Uint8Array<ArrayBuffer>, name = 'picture.jpg') =>
  formCall({ prompt }, [[name, new Blob([content])]])
const json = (fields: object) => jsonCall({ prompt: 'Hello!', ...fields })
const text = (body: string): Call => ({ headers: { 'content-type': 'application/json' }, body })
const url = (image_url: unknown) => jsonCall({ prompt, image_url })

interface ExpectedError {
  readonly status: number
  readonly code: string
  readonly param?: string
}

interface BadRequest extends ExpectedError {
  readonly what: string
  readonly path: string
  readonly call: () => Call | Promise<Call>
}

const invalidField = { path: '/generate/text', status: 400, code: 'invalid_field' }
const badRequests: readonly BadRequest[] = [
  {
    what: 'broken JSON',
    path: '/generate/text',
    call: () => text('{"prompt":'),
    status: 400,
    code: 'invalid_json',
  },
  { what: 'JSON that is no object', ...invalidField, call: () => text('[1]') },
  { what: 'no prompt', ...invalidField, call: () => text('{}'), param: 'prompt' },
  { what: 'an empty prompt', ...invalidField, call: () => json({ prompt: '' }), param: 'prompt' },
  {
    what: 'a prompt that is a number',
    ...invalidField,
    call: () => json({ prompt: 5 }),
    param: 'prompt',
  },
  {
    what: 'temperature -1',
    ...invalidField,
    call: () => json({ temperature: -1 }),
    param: 'temperature',
  },
  {
    what: 'temperature NaN',
    ...invalidField,
    path: '/generate/image',
    call: () => formCall({ prompt, temperature: 'NaN' }, [['a.png', goldenImage('g01.png')]]),
    param: 'temperature',
  },
  {
    what: 'temperature "hot"',
    ...invalidField,
    call: () => json({ temperature: 'hot' }),
    param: 'temperature',
  },
  { what: 'top_p 0', ...invalidField, call: () => json({ top_p: 0 }), param: 'top_p' },
  { what: 'top_p 1.1', ...invalidField, call: () => json({ top_p: 1.1 }), param: 'top_p' },
  {
    what: 'max_tokens 0',
    ...invalidField,
    call: () => json({ max_tokens: 0 }),
    param: 'max_tokens',
  },
  {
    what: 'max_tokens 1.5',
    ...invalidField,
    call: () => json({ max_tokens: 1.5 }),
    param: 'max_tokens',
  },
  {
    what: 'stream "maybe"',
    ...invalidField,
    call: () => json({ stream: 'maybe' }),
    param: 'stream',
  },
  {
    what: 'no images',
    path: '/generate/image',
    call: () => formCall({ prompt }, []),
    status: 400,
    code: 'missing_images',
  },
  {
    what: 'an empty file',
    path: '/generate/image',
    call: () => image(''),
    status: 400,
    code: 'empty_image',
  },
  {
    what: 'a text called .jpg',
    path: '/generate/image',
    call: () => image('just some words'),
    status: 400,
    code: 'unsupported_image',
  },
  {
    what: 'a truncated JPEG',
    path: '/generate/image',
    call: async () => image(await truncatedJpeg()),
    status: 400,
    code: 'invalid_image',
  },
  {
    what: 'a PNG of 40,000 x 40,000',
    path: '/generate/image',
    call: () => image(hugePng()),
    status: 400,
    code: 'image_too_large',
  },
  {
    what: 'a picture wider than the model takes',
    path: '/generate/image',
    call: async () => image(await stripe()),
    status: 400,
    code: 'image_too_large',
  },
  {
    what: 'an SVG',
    path: '/generate/image',
    call: () => image(svg, 'a.svg'),
    status: 400,
    code: 'unsupported_image',
  },
  {
    what: 'a PDF',
    path: '/generate/image',
    call: () => image('%PDF-1.7\n1 0 obj\n'),
    status: 400,
    code: 'unsupported_image',
  },
  {
    what: 'a broken multipart body',
    path: '/generate/image',
    call: () => ({
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nContent-Disp',
    }),
    status: 400,
    code: 'invalid_multipart',
  },
  {
    what: 'another media type',
    path: '/generate/text',
    call: () => ({ headers: { 'content-type': 'text/plain' }, body: 'Hello!' }),
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a JSON body over the limit',
    path: '/generate/text',
    call: () => json({ prompt: 'a'.repeat(maxJsonBytes) }),
    status: 413,
    code: 'body_too_large',
  },
  {
    what: 'a prompt over the context',
    path: '/generate/text',
    call: () => json({ prompt: 'one two three '.repeat(20_000) }),
    status: 400,
    code: 'context_length_exceeded',
  },
  {
    what: 'no image_url',
    path: '/generate/image_url',
    call: () => jsonCall({ prompt }),
    status: 400,
    code: 'invalid_field',
    param: 'image_url',
  },
  {
    what: 'a URL of this machine',
    path: '/generate/image_url',
    call: () => url('http://127.0.0.1/a.png'),
    status: 400,
    code: 'image_url_refused',
  },
  {
    what: 'a URL of a private network',
    path: '/generate/image_url',
    call: () => url('http://10.0.0.8/a.png'),
    status: 400,
    code: 'image_url_refused',
  },
  {
    what: 'a file URL',
    path: '/generate/image_url',
    call: () => url('file:///etc/passwd'),
    status: 400,
    code: 'image_url_refused',
  },
  {
    what: 'an unknown path',
    path: '/generate/video',
    call: () => json({}),
    status: 404,
    code: 'not_found',
  },
]

async function truncatedJpeg(): Promise<Uint8Array<ArrayBuffer>> {
  const whole = Buffer.from(await goldenImage('g09.jpg').arrayBuffer())
  return whole.subarray(0, whole.length / 2)
}

/** The model reads at most 512 patches of 14 pixels a side, and an image this low is not resized before. */
function stripe(): Promise<Uint8Array<ArrayBuffer>> {
  return sharp({ create: { width: 20_000, height: 10, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
}

/** Text that could only come from inside: a stack trace, a path, a library's own words. */
const insideInformation =
  /\bat \S+ \(|\/(work|home|root|tmp|usr|node_modules)\/|\.ts\b|sharp|libvips|vips|onnx|zod|undici|busboy/i

async function expectError(response: Response, { status, ...fields }: ExpectedError) {
  const body = await response.text()
  expect({ status: response.status, body }).toMatchObject({ status })
  const { error } = JSON.parse(body) as ErrorBody
  expect(Object.keys(error).toSorted()).toEqual(['code', 'message', 'param', 'request_id', 'type'])
  expect(error).toMatchObject({ ...fields, request_id: response.headers.get('x-request-id') })
  expect(error.message).not.toMatch(insideInformation)
  return error
}

describe.each(setups)('bad input with EDGE=$edge and ENGINE=$engine', (setup) => {
  let product: Product
  let running: RunningSetup
  beforeAll(async () => {
    running = await startSetup(setup)
    product = running.product
  })
  afterAll(() => running.end())

  describe.each(['edge', 'backend'] as const)('through the %s', (way) => {
    it.each(badRequests)(
      'answers $what with $code',
      async ({ what: _what, path, call, ...expected }) => {
        await expectError(await product[way](path, await call()), expected)
      },
    )

    it('names both numbers when a prompt exceeds the context', async () => {
      const response = await product[way](
        '/generate/text',
        json({ prompt: 'one two three '.repeat(20_000) }),
      )
      const { message } = await expectError(response, {
        status: 400,
        code: 'context_length_exceeded',
      })
      expect(message.match(/\d[\d,]*/g)?.length).toBeGreaterThanOrEqual(2)
    })

    it('answers a wrong method with method_not_allowed', async () => {
      const response = await product[way]('/generate/text', { method: 'GET' })
      await expectError(response, { status: 405, code: 'method_not_allowed' })
    })
  })

  it.each(['/generate/text', '/generate/image', '/generate/image_url'])(
    'refuses %s without a key and with a wrong one',
    async (path) => {
      const without = await fetch(new URL(path, product.url), { method: 'POST', body: '{}' })
      await expectError(without, { status: 401, code: 'missing_api_key' })
      const wrong = await product.edge(path, { ...json({}), headers: { 'x-api-key': 'wrong' } })
      await expectError(wrong, { status: 401, code: 'invalid_api_key' })
    },
  )

  it('refuses an upload over the limit by its length', async () => {
    const response = await postAnnouncing(new URL('/generate/image', product.url), {
      'x-api-key': product.apiKey,
      'content-type': 'multipart/form-data; boundary=x',
      'content-length': String(200 * 1024 * 1024),
    })
    expect(response.status).toBe(413)
    expect((JSON.parse(response.body) as ErrorBody).error.code).toBe('body_too_large')
  })

  const picture = async (width: number, height: number) => {
    const create = { width, height, channels: 3, background: 'red' } as const
    const file = await sharp({ create }).png().toBuffer()
    const call = formCall({ prompt, max_tokens: 5 }, [['a.png', new Blob([file])]])
    return product.edge('/generate/image', call)
  }

  it.each([
    [1, 1, 1],
    [14, 7168, 181],
    [7168, 14, 181],
  ])('describes a picture of %i x %i pixels in %i tokens', async (width, height, tokens) => {
    const { usage } = await answerOf(await picture(width, height))
    expect(usage.image_tokens).toBe(tokens)
  })

  it.each([
    [1, 10_000],
    [10_000, 1],
    [3, 20_000],
  ])('refuses a picture of %i x %i pixels, which is too long', async (width, height) => {
    const refused = { status: 400, code: 'image_too_large' }
    await expectError(await picture(width, height), refused)
  })

  it('still works after all of it', async () => {
    const call = formCall({ prompt, temperature: 0 }, [['a.png', goldenImage('g01.png')]])
    const { output } = await answerOf(await product.edge('/generate/image', call))
    expect(output).toBe('A large red circle in the center on a white background.')
    expect(product.child.exitCode).toBeNull()
  })
})

/** Sends headers only, like a client that waits to learn whether its body is welcome. */
function postAnnouncing(to: URL, headers: Record<string, string>) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const sent = request(to, { method: 'POST', headers }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => (body += part))
      response.on('end', () => {
        resolve({ status: response.statusCode, body })
        sent.destroy()
      })
    })
    sent.on('error', reject)
    sent.flushHeaders()
  })
}
