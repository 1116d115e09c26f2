import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { maxFetchedImageBytes, maxFetchedTotalBytes } from '../api/limits.ts'
import { checkUrl } from './check-url.ts'
import { detectImageType } from './detect-image-type.ts'
import { fetchImage, type Transport } from './fetch-image.ts'
import { fetchImages } from './fetch-images.ts'
import { addressAllowed } from './ip-ranges.ts'
import { repairLocation } from './response-headers.ts'

const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)
const neverAborted = new AbortController().signal
const url = 'https://images.example.com/a'

describe('addressAllowed()', () => {
  it.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])('allows %s', (address) => {
    expect(addressAllowed(address)).toBe(true)
  })

  it.each([
    '',
    'localhost',
    '010.8.8.8',
    '0x8.8.8.8',
    '8.8',
    'fe80::1%eth0',
    '::ffff:7f00:1',
    '3fff::1',
  ])('refuses %s', (address) => {
    expect(addressAllowed(address)).toBe(false)
  })
})

describe('checkUrl()', () => {
  it.each([
    ['https:images.example.com/a', 'not_absolute'],
    ['https:///images.example.com/a', 'not_absolute'],
    [' https://images.example.com/', 'forbidden_characters'],
    ['https://images.example.com/\u0000', 'forbidden_characters'],
    ['https://images..example.com/', 'host_name'],
    ['https://images.example.com../', 'host_name'],
    ['https://example.test/', 'host_name'],
    ['http://[fe80::1%25eth0]/', 'not_absolute'],
    ['http://1.2.3.4.5/', 'not_absolute'],
    ['HTTP://LOCALHOST/', 'host_name'],
    [`data:image/png;base64,${'A'.repeat(7_000)}`, 'data_uri'],
    ['DATA:,', 'data_uri'],
    ['http://loc\u00adalhost/', 'host_name'],
  ])('refuses %j as %s', (text, reason) => {
    expect(checkUrl(text)).toEqual({ ok: false, reason })
  })
})

describe('detectImageType()', () => {
  it('needs more than a signature', () => {
    expect(detectImageType(jpeg)).toBe('image/jpeg')
    expect(detectImageType(jpeg.subarray(0, 3))).toBeUndefined()
    expect(detectImageType(new TextEncoder().encode('GIF89a'))).toBeUndefined()
    expect(detectImageType(new TextEncoder().encode('RIFF....WAVEfmt '))).toBeUndefined()
    expect(detectImageType(new Uint8Array())).toBeUndefined()
  })

  it.each([
    'GIF89a',
    'GIF87a',
    'RIFF\x24\0\0\0WEBPVP8 ',
    'RIFF\x24\0\0\0WEBPVP8L\x10\0\0\0/',
    'RIFF\x24\0\0\0WEBPVP8X\n\0\0\0',
    '\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf',
    'II*\0',
    'MM\0*\0\0\0\x10',
    'II+\0\x08\0\0\0',
  ])('takes no web page for an image that begins with %j', (signature) => {
    for (const page of [
      '<!doctype html><title>A page</title>',
      '<svg xmlns="http://a/"><g/></svg>',
    ]) {
      expect(detectImageType(new TextEncoder().encode(signature + page))).toBeUndefined()
    }
  })

  it.each([
    ['gif', {}],
    ['webp', {}],
    ['webp', { lossless: true }],
    ['avif', {}],
    ['png', {}],
    ['jpeg', {}],
    ['tiff', {}],
    ['tiff', { bigtiff: true }],
  ] as const)('knows a real %s, %o', async (format, options) => {
    const pixels = { width: 9, height: 7, channels: 4, background: '#36912380' } as const
    const image = sharp({ create: pixels })
    for (const one of [image, image.clone().withIccProfile('srgb')]) {
      const bytes = await one.toFormat(format, options).toBuffer()
      expect(detectImageType(bytes)).toBe(`image/${format}`)
    }
  })

  it.each([
    ['by_url_jpeg.tif', 'image/tiff'],
    ['by_url_bigtiff.tif', 'image/tiff'],
    ['tif_cmyk_spot2.tif', 'image/tiff'],
    ['avif_sequence.avif', 'image/avif'],
    ['png_cgbi.png', 'image/png'],
  ])('knows %s, which the backend judges', (name, type) => {
    expect(detectImageType(readFileSync(`test/cases/files/${name}`))).toBe(type)
  })
})

describe('fetchImage()', () => {
  it('cancels a body that grows past the limit, whatever its declared length', async () => {
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      cancel: () => {
        cancelled = true
      },
    })
    const transport: Transport = async () =>
      new Response(body, { headers: { 'content-length': '9' } })
    const outcome = await fetchImage(url, { transport, signal: neverAborted })
    expect(outcome).toEqual({
      ok: false,
      failure: { reason: 'too_large', maxBytes: maxFetchedImageBytes },
    })
    expect(cancelled).toBe(true)
  })

  it.each(['gzip', 'br', 'aws-chunked,gzip', 'x-own'])(
    'refuses %s, which could unpack to anything',
    async (encoding) => {
      const transport: Transport = async () =>
        new Response(jpeg, { headers: { 'content-encoding': encoding } })
      const outcome = await fetchImage(url, { transport, signal: neverAborted })
      expect(outcome).toEqual({ ok: false, failure: { reason: 'compressed' } })
    },
  )

  it.each(['', 'identity', 'none', 'UTF-8', 'base64', 'aws-chunked', 'Identity, binary'])(
    'takes plain bytes that are called %j',
    async (encoding) => {
      const transport: Transport = async () =>
        new Response(jpeg, { headers: { 'content-encoding': encoding } })
      const outcome = await fetchImage(url, { transport, signal: neverAborted })
      expect(outcome).toMatchObject({ ok: true, image: { type: 'image/jpeg' } })
    },
  )

  it.each([
    ['/\u56fe\u7247-\u00e9.png', '/%E5%9B%BE%E7%89%87-%C3%A9.png'],
    ['https://images.example.com/caf\u00e9.png', '/caf%C3%A9.png'],
    ['/a b.png ', '/a%20b.png'],
    ['/a%20b%C3%A9.png', '/a%20b%C3%A9.png'],
  ])('follows a redirect to %s, as Node and as workerd give it', async (location, path) => {
    const utf8 = Buffer.from(location)
    for (const spelling of [location, utf8.toString('latin1')]) {
      const asked: string[] = []
      const transport: Transport = async (target) => {
        asked.push(target)
        if (asked.length > 1) return new Response(jpeg)
        const headers = { get: (name: string) => (name === 'location' ? spelling : null) }
        return { status: 302, headers, body: null } as unknown as Response
      }
      expect(await fetchImage(url, { transport, signal: neverAborted })).toMatchObject({ ok: true })
      expect(asked[1]).toBe(`https://images.example.com${path}`)
    }
  })

  it('follows a redirect in Latin-1 as it stands', () => {
    expect(repairLocation('/caf\u00e9.png')).toBe('/caf\u00e9.png')
  })

  it.each(['/a\tb', '/a\u0000', 'https://a.org\\@b.org/'])(
    'does not follow a redirect to %j',
    async (location) => {
      const headers = { get: (name: string) => (name === 'location' ? location : null) }
      const transport: Transport = async () =>
        ({ status: 302, headers, body: null }) as unknown as Response
      const outcome = await fetchImage(url, { transport, signal: neverAborted })
      expect(outcome).toEqual({
        ok: false,
        failure: { reason: 'redirect_refused', why: 'forbidden_characters' },
      })
    },
  )

  it('distinguishes an answer that broke off from one that never came', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new TypeError('terminated'))
      },
    })
    const outcomeOf = (transport: Transport) => fetchImage(url, { transport, signal: neverAborted })
    expect(await outcomeOf(async () => new Response(broken))).toMatchObject({
      failure: { reason: 'broken_off' },
    })
    expect(await outcomeOf(() => Promise.reject(new Error('refused')))).toMatchObject({
      failure: { reason: 'unreachable' },
    })
  })

  it('asks for pictures, and takes whatever comes', async () => {
    const transport: Transport = async (_target, { headers }) => {
      expect(headers['accept']).toMatch(/^image\/.*,\*\/\*;q=0\.\d$/)
      return new Response(jpeg)
    }
    expect(await fetchImage(url, { transport, signal: neverAborted })).toMatchObject({ ok: true })
  })

  it('sends nothing that belongs to the client, and no fragment', async () => {
    let requested: [string, Record<string, string>] | undefined
    const transport: Transport = async (target, { headers }) => {
      requested = [target, headers]
      return new Response(jpeg)
    }
    await fetchImage(`${url}#fragment`, { transport, signal: neverAborted })
    expect(requested?.[0]).toBe(url)
    expect(Object.keys(requested?.[1] ?? {})).toEqual(['accept', 'accept-encoding', 'user-agent'])
  })

  it('ends when the client leaves, even if the transport does not', async () => {
    const client = new AbortController()
    const transport: Transport = () => new Promise(() => client.abort())
    const pending = fetchImage(url, { transport, signal: client.signal })
    await expect(pending).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('fetchImages()', () => {
  it('holds few connections, also where no server answers', async () => {
    const client = new AbortController()
    let open = 0
    const transport: Transport = () => {
      open += 1
      return new Promise(() => undefined)
    }
    const urls = Array.from({ length: 16 }, () => url)
    const pending = fetchImages(urls, { transport }, client.signal)
    await expect.poll(() => open).toBe(4)
    client.abort()
    await expect(pending).rejects.toMatchObject({ code: 'cancelled' })
    expect(open).toBe(4)
  })

  it.each([
    [
      'data:image/png;base64,AAAA',
      'a data URI is not fetched: send the picture itself to /generate/image',
    ],
    [`https://a.org/${'a'.repeat(2_048)}`, 'the URL is over the limit of 2048 characters'],
  ])('says what is wrong with %s', async (text, message) => {
    const transport: Transport = () => Promise.reject(new Error('not asked'))
    await expect(fetchImages([text], { transport }, neverAborted)).rejects.toMatchObject({
      code: 'image_url_refused',
      message: `Cannot fetch the image: ${message}`,
    })
  })

  it('limits the bytes of all images together', async () => {
    const transport: Transport = async () => {
      const bytes = new Uint8Array(maxFetchedImageBytes)
      bytes.set(jpeg)
      return new Response(bytes)
    }
    const count = Math.floor(maxFetchedTotalBytes / maxFetchedImageBytes) + 1
    const urls = Array.from({ length: count }, () => url)
    await expect(fetchImages(urls, { transport }, neverAborted)).rejects.toMatchObject({
      code: 'image_fetch_too_large',
    })
  })

  it('has at most four transfers open, and ends the others when one fails', async () => {
    const signals: AbortSignal[] = []
    const transport: Transport = (_url, { signal }) => {
      signals.push(signal)
      if (signals.length < 4) return new Promise(() => {})
      return Promise.reject(new TypeError('fetch failed'))
    }
    const urls = Array.from({ length: 9 }, () => url)
    await expect(fetchImages(urls, { transport }, neverAborted)).rejects.toMatchObject({
      code: 'image_fetch_failed',
    })
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true, true, false])
  })
})
