import { describe, expect, it } from 'vitest'
import {
  delta,
  end,
  errorOf,
  eventStream,
  meteredEdge,
  openStream,
  whole,
  usageHeader,
} from '../../test/support/edges/metered-edge.ts'

describe('runCalls(), for a key with limits', () => {
  it('reports the state of the key, and refuses what is over its limits', async () => {
    const { post, clock, ledger } = meteredEdge({ requestsPerMinute: 2, tokensPerDay: 10_000 })
    const first = await post()
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': '61',
      'x-ratelimit-limit-tokens-day': '10000',
      'x-ratelimit-remaining-tokens-day': String(10_000 - 37),
      'x-ratelimit-reset-tokens-day': '43200',
    })
    await first.text()
    clock.ms += 20_000
    await (await post()).text()
    const refused = await post()
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(refused.headers.get('x-ratelimit-remaining-tokens-day')).toBe(String(10_000 - 2 * 37))
    expect(await errorOf(refused)).toEqual([429, 'rate_limited', '41'])
    clock.ms += 41_000
    const third = await post()
    expect(third.status).toBe(200)
    await third.text()
    expect(await ledger()).toMatchObject([{ requests: 3, prompt_tokens: 90, image_tokens: 60 }])
  })

  it('lets the next call in as soon as the last byte of an answer is there', async () => {
    const { post } = meteredEdge({ concurrentRequests: 1, tokensPerMinute: 5_000 })
    for (let call = 0; call < 20; call += 1) {
      const response = await post()
      expect(response.status).toBe(200)
      await response.body?.getReader().read()
    }
  })

  it('reserves for an upload as many tokens as images of the model can take', async () => {
    const granted: (string | undefined)[] = []
    const { post } = meteredEdge(
      { tokensPerDay: 1_000_000 },
      {
        imageTokens: () => 1_338,
        async backend(_path, { headers }) {
          granted.push(headers['x-granted-tokens'])
          return whole()
        },
      },
    )
    const headers = { 'x-api-key': 'any', 'content-type': 'multipart/form-data; boundary=b' }
    await post('/generate/image', { headers, body: '--b--' })
    await post()
    // 16 images, the chat template and 4,000 tokens of an answer; then no images.
    expect(granted).toEqual([String(16 * 1_338 + 64 + 4_000), String(2 + 64 + 50)])
  })

  it('sends on what it reserved, at most what is left', async () => {
    const sent: (string | undefined)[][] = []
    const open = openStream()
    const { post, ledger } = meteredEdge(
      { tokensPerDay: 500, imagesPerDay: 3 },
      {
        async backend(_path, { headers }) {
          sent.push([headers['x-granted-tokens'], headers['x-granted-images']])
          return sent.length === 1 ? eventStream(open.body) : whole()
        },
      },
    )
    // 50 tokens of an answer, 2 bytes of a prompt, and what the template adds.
    const running = await post()
    const upload = () =>
      post('/generate/image', {
        headers: { 'x-api-key': 'a', 'content-type': 'multipart/form-data; boundary=b' },
        body: '--b--',
      })
    await (await upload()).text()
    // While all is reserved, nothing more comes in.
    expect(sent).toEqual([
      ['116', '0'],
      ['384', '3'],
    ])
    open.write(delta + end)
    open.close()
    await running.text()
    await (await upload()).text()
    // An upload counts as one image if the backend does not report the number.
    expect(sent.at(-1)).toEqual([String(500 - 2 * 37), '2'])
    expect(await ledger()).toMatchObject([{ requests: 3, prompt_tokens: 90 }])
  })

  it.each([
    [{}, undefined],
    [{ requestsPerMinute: 9, concurrentRequests: 9 }, undefined],
    [{ imagesPerDay: 9 }, undefined],
    [{ tokensPerMinute: 9 }, '9'],
  ])('grants tokens only where the key has a limit of them (%j)', async (limits, expected) => {
    const sent: (string | undefined)[] = []
    const { post } = meteredEdge(limits, {
      async backend(_path, { headers }) {
        sent.push(headers['x-granted-tokens'])
        return whole()
      },
    })
    await (await post()).text()
    expect(sent).toEqual([expected])
  })

  it('never grants more in sum than a limit, however many calls run at once', async () => {
    const granted: number[] = []
    const { post } = meteredEdge(
      { tokensPerDay: 1_000 },
      {
        async backend(_path, { headers }) {
          granted.push(Number(headers['x-granted-tokens']))
          return eventStream(openStream().body)
        },
      },
    )
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => (await post()).status),
    )
    expect(granted.reduce((sum, tokens) => sum + tokens, 0)).toBe(1_000)
    expect(statuses.filter((status) => status === 200)).toHaveLength(granted.length)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
  })

  it('reports what is left after a complete answer or a failure, and what is reserved for a stream', async () => {
    const open = openStream()
    const answers = [whole, () => new Response('{}', { status: 500 }), () => eventStream(open.body)]
    const clock = { tick: (): void => undefined }
    const limits = { tokensPerMinute: 1_000, imagesPerDay: 9 }
    const setup = meteredEdge(limits, {
      backend: async () => {
        clock.tick()
        return answers.shift()!()
      },
    })
    clock.tick = () => {
      setup.clock.ms += 2_000
    }
    const left = async () => {
      const { headers } = await setup.post()
      return ['remaining-tokens', 'reset-tokens', 'remaining-images-day'].map((name) =>
        Number(headers.get(`x-ratelimit-${name}`)),
      )
    }
    expect(await left()).toEqual([1_000 - 37, 59, 9])
    expect(await left()).toEqual([1_000 - 37, 59, 9])
    expect(await left()).toEqual([1_000 - 37 - 2 - 64 - 50, 61, 9])
    open.close()
  })

  it('counts the images of an upload as the backend reports them, and refunds those of a failure', async () => {
    const answers = [
      () => new Response(whole().body, { headers: { ...usageHeader, 'x-image-count': '3' } }),
      () => new Response('{"error":{}}', { status: 400, headers: { 'x-image-count': '3' } }),
    ]
    const { post, ledger } = meteredEdge(
      { imagesPerDay: 10 },
      { backend: async () => answers.shift()!() },
    )
    const upload = () =>
      post('/generate/image', {
        headers: { 'x-api-key': 'a', 'content-type': 'multipart/form-data; boundary=b' },
        body: '--b--',
      })
    const first = await upload()
    expect(first.headers.get('x-image-count')).toBeNull()
    expect(first.headers.get('x-ratelimit-remaining-images-day')).toBe('7')
    await first.text()
    await (await upload()).text()
    expect(await ledger()).toMatchObject([{ requests: 2, errors: 1, images: 3 }])
  })

  it('counts a day of images by the URLs that are named', async () => {
    const { post, ledger } = meteredEdge({ imagesPerDay: 2 })
    const ask = (urls: number) => {
      const image_url = Array.from({ length: urls }, () => 'https://a.example.com/')
      return post('/generate/image_url', { body: JSON.stringify({ prompt: 'Hi', image_url }) })
    }
    expect(await errorOf(await ask(3))).toEqual([429, 'quota_exceeded', null])
    const failed = await ask(2)
    expect(await errorOf(failed)).toEqual([422, 'image_fetch_failed', null])
    expect(failed.headers.get('x-ratelimit-remaining-images-day')).toBe('2')
    expect(await ledger()).toMatchObject([{ requests: 1, errors: 1, images: 0 }])
  })

  it('answers 503 when a key with limits cannot be counted, and lets a key without pass', async () => {
    const meter = {
      reserve: () => Promise.reject(new Error('disk full at /secret')),
      settle: () => Promise.reject(new Error('disk full at /secret')),
      check: () => Promise.reject(new Error('disk full at /secret')),
      usage: () => Promise.reject(new Error('disk full at /secret')),
    }
    const limited = meteredEdge({ requestsPerMinute: 5 }, { meter })
    const refused = await limited.post()
    expect(await refused.clone().text()).not.toContain('secret')
    expect(await errorOf(refused)).toEqual([503, 'limits_unavailable', '2'])
    const usageAnswer = await limited.app.request('/admin/usage', { headers: { 'x-api-key': 'a' } })
    expect(await errorOf(usageAnswer)).toEqual([503, 'limits_unavailable', '2'])

    let unrecorded = 0
    const measure = {
      began: () => undefined,
      ended: () => undefined,
      unrecorded: () => (unrecorded += 1),
    }
    const { post, lines } = meteredEdge({}, { meter, measure })
    const answer = await post()
    expect(answer.status).toBe(200)
    await answer.text()
    await expect
      .poll(() => lines.find(({ message }) => message === 'usage was not recorded'))
      .toMatchObject({ level: 'error', key_id: 'shop', tokens: 37 })
    expect(unrecorded).toBe(1)
  })
})
