import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineView } from '../../backend/cluster/health/engine-entry.ts'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { startEngineStandIn, type EngineStandIn } from '../support/engines/engine-stand-in.ts'
import type { Misbehaviour } from '../support/engines/misbehaviour.ts'
import { eventually } from './eventually.ts'
import { endLaunch, startProduct, type Product } from './product.ts'
import { answerOf, eventsOf, jsonCall } from './requests.ts'

const answer = 'A red circle on white.'
const question = { prompt: 'What is it?', temperature: 0 }

/** Those that end without waiting for the limits of time; what each does to an answer with two engines, both wrong. */
const outcomes: Readonly<Partial<Record<Misbehaviour, string>>> = {
  cut_before_headers: 'engine_restarted',
  cut_mid_stream: 'engine_restarted',
  status_400_context: 'context_length_exceeded',
  status_429: 'queue_full',
  status_500: 'engine_restarted',
  error_after_200: 'engine_restarted',
  not_json: 'engine_restarted',
  no_done: 'engine_restarted',
  wrong_type: 'engine_restarted',
  endless_line: 'engine_restarted',
  wrong_model: 'engine_restarted',
  no_usage: 'end',
  slow_headers: 'end',
}

describe('faults with ENGINE=openai', () => {
  let product: Product
  let engines: EngineStandIn[]
  beforeAll(async () => {
    engines = await Promise.all([1, 2].map(() => startEngineStandIn({ kind: 'vllm' })))
    const urls = engines.map(({ url }) => url).join()
    product = await startProduct({ EDGE: 'node', ENGINE: 'openai', ENGINE_URLS: urls })
  })
  afterAll(async () => {
    await endLaunch(product)
    await Promise.all(engines.map((engine) => engine.stop()))
  })

  const status = async () => {
    const response = await product.backend('/status', { method: 'GET' })
    return ((await response.json()) as { engines: EngineView[] }).engines
  }
  const allReady = async () => {
    const views = await status()
    return views.every(({ state }) => state === 'ready')
  }
  const stream = (headers: Record<string, string> = {}) => {
    const call = jsonCall({ ...question, stream: true })
    return product.edge('/generate/text', { ...call, headers: { ...call.headers, ...headers } })
  }

  it('ends every one in its stated way, and bills each request once', async () => {
    const created = await product.edge('/admin/keys', jsonCall({}))
    const { id, key } = (await created.json()) as { id: string; key: string }
    const spent = { prompt_tokens: 0, completion_tokens: 0 }
    let errors = 0
    for (const [wrong, code] of Object.entries(outcomes)) {
      for (const engine of engines) engine.wrong = wrong as Misbehaviour
      const ending = await endOf(await stream({ 'x-api-key': key }))
      expect([wrong, ending.code]).toEqual([wrong, code])
      if (ending.usage === undefined) errors += 1
      else {
        spent.prompt_tokens += ending.usage.prompt_tokens
        spent.completion_tokens += ending.usage.completion_tokens
      }
      for (const engine of engines) engine.wrong = undefined
      await eventually(allReady)
    }
    // One engine fails, the other answers: a single request all the same.
    engines[0]!.wrong = 'status_500'
    const call = jsonCall(question)
    for (let count = 0; count < 4; count++) {
      const headers = { ...call.headers, 'x-api-key': key }
      const { output, usage } = await answerOf(
        await product.edge('/generate/text', { ...call, headers }),
      )
      expect(output).toBe(answer)
      spent.prompt_tokens += usage.prompt_tokens
      spent.completion_tokens += usage.completion_tokens
    }
    engines[0]!.wrong = undefined
    const usage = await product.edge(`/admin/usage?key_id=${id}`, { method: 'GET' })
    const { usage: days } = (await usage.json()) as { usage: Record<string, number>[] }
    const requests = Object.keys(outcomes).length + 4
    expect(days).toMatchObject([{ requests, errors, ...spent }])
  })

  it('ends the work of a client that leaves', async () => {
    for (const engine of engines) engine.wrong = 'stall_mid_stream'
    const left = () => engines.reduce((sum, engine) => sum + engine.left, 0)
    const before = left()
    const leaving = new AbortController()
    const call = { ...jsonCall({ ...question, stream: true }), signal: leaving.signal }
    for await (const { event } of eventsOf(await product.edge('/generate/text', call))) {
      if (event === 'delta') break
    }
    leaving.abort()
    const patient = { timeout: 20_000 }
    await expect.poll(left, patient).toBe(before + 1)
    await expect.poll(() => engines.map(({ running }) => running), patient).toEqual([0, 0])
    for (const engine of engines) engine.wrong = undefined
  })

  it('serves while one engine is left, says that it is not ready without any, and goes on with the first that is back', async () => {
    const ports = engines.map(({ port }) => port)
    await engines[0]!.stop()
    for (let count = 0; count < 4; count++) {
      expect(
        (await answerOf(await product.edge('/generate/text', jsonCall(question)))).output,
      ).toBe(answer)
    }
    await eventually(async () => (await status())[0]!.state !== 'ready')
    await engines[1]!.stop()
    await eventually(
      async () => (await product.backend('/readyz', { method: 'GET' })).status === 503,
    )
    const readyz = await product.backend('/readyz', { method: 'GET' })
    expect(await readyz.json()).toMatchObject({ checks: { test_generation: false } })
    const health = await product.backend('/health', { method: 'GET' })
    expect([health.status, await health.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'engine_restarting' },
    ])
    const refused = await product.edge('/generate/text', jsonCall(question))
    expect(refused.status).toBe(503)
    expect(((await refused.json()) as ErrorBody).error.code).toBe('backend_unavailable')

    engines = await Promise.all(ports.map((port) => startEngineStandIn({ kind: 'vllm', port })))
    await eventually(
      async () => (await product.backend('/readyz', { method: 'GET' })).status === 200,
    )
    expect(await endOf(await stream())).toMatchObject({ code: 'end' })
  })

  it('names its engines in its metrics', async () => {
    await eventually(allReady)
    const metrics = await (await product.backend('/metrics', { method: 'GET' })).text()
    for (const { port } of engines) {
      expect(metrics).toContain(`describe_cluster_engine_ready{engine="127.0.0.1:${port}"} 1`)
      expect(metrics).toMatch(
        new RegExp(`describe_cluster_engine_failures_total\\{engine="127.0.0.1:${port}"\\} [1-9]`),
      )
    }
    expect(metrics).not.toContain('describe_engine_steps_total')
  })
})

/** The code of the error, or `end` and what it used. */
async function endOf(response: Response) {
  if (response.status !== 200) {
    return { code: ((await response.json()) as ErrorBody).error.code as string, usage: undefined }
  }
  for await (const { event, data } of eventsOf(response)) {
    if (event === 'error') return { code: data.error.code as string, usage: undefined }
    if (event === 'end') return { code: 'end', usage: data.usage }
  }
  return { code: 'broken off', usage: undefined }
}
