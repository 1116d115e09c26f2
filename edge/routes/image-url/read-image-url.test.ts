import { describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import { maxImages } from '../../../shared/api/limits.ts'
import { joinChunks } from '../../../shared/bytes/join-chunks.ts'
import { parseForm } from '../../../test/support/form.ts'
import { createTestEdge, errorOf, png } from '../../../test/support/edges/test-edge.ts'

describe('POST /generate/image_url', () => {
  it('takes the time of fetching off the deadline', async () => {
    const { post, calls, clock } = createTestEdge({
      fetchPublic: async () => {
        clock.ms += 5_000
        return new Response(png)
      },
    })
    await post('/generate/image_url', { prompt: 'Hi', image_url: 'https://a.example.com/' })
    expect(calls[0]?.init.headers['x-deadline-ms']).toBe('55000')
  })

  it('keeps the order of the images, and the prompt as it is', async () => {
    const prompt = '--part-\r\ncontent-disposition: form-data; name="seed"\r\n\r\n7 \u{1F600}'
    const { post, calls } = createTestEdge({
      fetchPublic: async (url) => {
        if (url.endsWith('/0')) await new Promise((resolve) => setTimeout(resolve, 20))
        const mark = new TextEncoder().encode(new URL(url).pathname)
        return new Response(Buffer.concat([png, mark]))
      },
    })
    const urls = Array.from({ length: 6 }, (_, index) => `https://a.example.com/${index}`)
    await post('/generate/image_url', { prompt, image_url: urls })
    const { init } = calls[0]!
    const form = await parseForm(
      joinChunks(init.body as Uint8Array[]),
      init.headers['content-type'],
    )
    expect(form.get('prompt')).toBe(prompt)
    expect(form.has('seed')).toBe(false)
    const files = await Promise.all(form.getAll('images').map((file) => (file as File).text()))
    expect(files.map((text) => text.slice(-2))).toEqual(['/0', '/1', '/2', '/3', '/4', '/5'])
  })

  it('says which image could not be fetched, and nothing about its server', async () => {
    const { post, lines } = createTestEdge({
      fetchPublic: async (url) => {
        if (url.endsWith('/1'))
          throw new TypeError('fetch failed', { cause: new Error('10.0.0.1') })
        return new Response(png)
      },
    })
    const urls = ['https://a.example.com/0', 'https://a.example.com/1']
    const response = await post('/generate/image_url', { prompt: 'Hi', image_url: urls })
    expect(((await response.clone().json()) as ErrorBody).error.message).toBe(
      'Cannot fetch image 2 of 2: its server cannot be reached',
    )
    expect(await errorOf(response)).toEqual([422, 'image_fetch_failed', 'image_url'])
    expect(lines[0]?.['detail']).toBe('fetch failed < 10.0.0.1')
  })

  it('refuses more URLs than images are allowed', async () => {
    const urls = Array.from({ length: maxImages + 1 }, () => 'https://a.example.com/')
    const { post } = createTestEdge()
    const response = await post('/generate/image_url', { prompt: 'Hi', image_url: urls })
    expect(await errorOf(response)).toEqual([400, 'invalid_field', 'image_url'])
  })

  it('takes the URLs of a form, however the field is spelled', async () => {
    const { post, calls } = createTestEdge()
    const response = await post('/generate/image_url', undefined, {
      headers: {
        'x-api-key': 'right-key',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'prompt=Hi&image_url[]=https://a.example.com/1&image_url[]=https://a.example.com/2&seed=',
    })
    expect(response.status).toBe(200)
    const { init } = calls[0]!
    const form = await parseForm(
      joinChunks(init.body as Uint8Array[]),
      init.headers['content-type'],
    )
    expect(form.getAll('images')).toHaveLength(2)
  })
})
