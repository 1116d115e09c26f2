import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { maxFetchedImageBytes, maxFetchedTotalBytes } from '../api/limits.ts'
import { checkUrl } from './check-url.ts'
import { detectImageType } from './detect-image-type.ts'
import { fetchImage, type Transport } from './fetch-image.ts'
import { fetchImages } from './fetch-images.ts'
import { addressAllowed } from './ip-ranges.ts'

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

  it('refuses a compressed answer, which could unpack to anything', async () => {
    const transport: Transport = async () =>
      new Response(jpeg, { headers: { 'content-encoding': 'gzip' } })
    const outcome = await fetchImage(url, { transport, signal: neverAborted })
    expect(outcome).toEqual({ ok: false, failure: { reason: 'compressed' } })
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
