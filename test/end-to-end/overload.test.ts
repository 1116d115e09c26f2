import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSnapshot } from '../../backend/engine/job.ts'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { eventually } from './eventually.ts'
import { endLaunch, startProduct, type Product } from './product.ts'
import { answerOf, formCall, goldenImage, jsonCall, streamedAnswerOf } from './requests.ts'

const slots = 2
const queue = 8

const hello = { prompt: 'Hello!', temperature: 0 }
const canary = 'canary-7d1e55'

describe.each(['worker', 'node'])('too much at once, EDGE=%s', (edge) => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({
      EDGE: edge,
      SLOTS: String(slots),
      QUEUE_LIMIT: String(queue),
      LOG_LEVEL: 'debug',
    })
  })
  afterAll(() => endLaunch(product))

  const engine = async () => {
    const response = await product.backend('/status', { method: 'GET' })
    return ((await response.json()) as { engine: EngineSnapshot }).engine
  }

  it('answers as many as it can, refuses the rest at once, and nothing else', async () => {
    const counting = { prompt: 'Count from 1 to 30.', temperature: 0 }
    const outcomes = await Promise.all(
      Array.from({ length: 10 * (slots + queue) }, async () => {
        const response = await product.edge('/generate/text', jsonCall(counting))
        const body = (await response.json()) as { output?: string } & Partial<ErrorBody>
        const retry = response.headers.get('retry-after') ?? ''
        return response.status === 200
          ? `200 ${body.output!.slice(0, 7)}`
          : `${response.status} ${body.error?.code} ${/^\d+$/.test(retry)}`
      }),
    )
    expect(new Set(outcomes)).toEqual(new Set(['200 1, 2, 3', '429 queue_full true']))
    const served = outcomes.filter((outcome) => outcome.startsWith('200'))
    expect(served.length).toBeGreaterThanOrEqual(slots + queue)
    await eventually(async () => (await engine()).slotsInUse === 0)
    await answerOf(await product.edge('/generate/text', jsonCall(hello)))
  })

  it('is alive while every slot and every place of the queue is taken', async () => {
    const long = { prompt: 'Count from 1 to 60.', temperature: 0, stream: true }
    const leaving = new AbortController()
    const streams = Promise.allSettled(
      Array.from({ length: slots + queue }, () =>
        product.edge('/generate/text', { ...jsonCall(long), signal: leaving.signal }),
      ),
    )
    await eventually(async () => (await engine()).queued > 0)
    for (const way of ['edge', 'backend'] as const) {
      for (let count = 0; count < 20; count++) {
        const response = await product[way]('/livez', { method: 'GET' })
        expect([response.status, await response.json()]).toEqual([200, { status: 'alive' }])
      }
    }
    leaving.abort()
    await streams
    await eventually(async () => (await engine()).slotsInUse === 0)
  })

  it('lets a stream that nobody reads hold up no other', async () => {
    const { port } = new URL(product.url)
    const body = JSON.stringify({
      prompt: 'Count from 1 to 60.',
      temperature: 0,
      stream: true,
      n: 1,
    })
    const unread = request({
      port,
      path: '/generate/text',
      method: 'POST',
      headers: {
        'x-api-key': product.apiKey,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    })
    unread.on('error', () => undefined)
    unread.end(body)
    // Without a listener for its data, nothing of it is read.
    await new Promise((resolve) => unread.once('response', resolve))
    for (let count = 0; count < 5; count++) {
      const stream = await product.edge('/generate/text', jsonCall({ ...hello, stream: true }))
      expect((await streamedAnswerOf(stream)).output).toMatch(/^Hello/)
    }
    unread.destroy()
    await eventually(async () => (await engine()).slotsInUse === 0)
  })

  it('writes nothing of what callers send, at any level, anywhere', async () => {
    const requests = [
      product.edge('/generate/text', jsonCall({ ...hello, prompt: canary, system_prompt: canary })),
      product.edge('/generate/text', {
        headers: { 'content-type': 'application/json' },
        body: `{"prompt":"${canary}`,
      }),
      product.edge(`/generate/text?${canary}`, jsonCall({ prompt: 5, [canary]: canary })),
      product.edge(
        '/generate/image',
        formCall({ prompt: canary }, [[`${canary}.png`, goldenImage('g01.png')]]),
      ),
      product.edge('/generate/image', formCall({ prompt: canary }, [[canary, new Blob([canary])]])),
      product.edge(
        '/generate/image_url',
        jsonCall({ prompt: canary, image_url: `http://127.0.0.1/?${canary}` }),
      ),
      product.edge(`/${canary}`, jsonCall({ prompt: canary })),
      product.edge('/generate/text', { ...jsonCall(hello), headers: { 'x-api-key': canary } }),
      product.backend('/generate/text', jsonCall({ ...hello, prompt: canary, stop: [canary] })),
      product.backend(`/${canary}`, jsonCall({ prompt: canary })),
    ]
    for (const response of await Promise.all(requests)) await response.text()
    const last = {
      ...jsonCall(hello),
      headers: { 'content-type': 'application/json', 'x-request-id': 'the-last-line' },
    }
    await answerOf(await product.edge('/generate/text', last))
    const logs = () =>
      readdirSync(join(product.stateDir, 'logs'))
        .map((name) => readFileSync(join(product.stateDir, 'logs', name), 'utf8'))
        .join('')
    await eventually(() => logs().split('the-last-line').length > 2)
    const files = readdirSync(product.stateDir, { recursive: true, withFileTypes: true })
    const holders = files.filter(
      (file) => file.isFile() && readFileSync(join(file.parentPath, file.name)).includes(canary),
    )
    expect(holders.map(({ name }) => name)).toEqual([])
    expect(product.output()).not.toContain(canary)
    const metrics = await product.backend('/metrics', { method: 'GET' })
    expect(await metrics.text()).not.toContain(canary)
  })
})
