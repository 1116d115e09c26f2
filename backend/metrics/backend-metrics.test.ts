import { FormData } from 'undici'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readMetrics, sumOf } from '../../shared/metrics/read-metrics.ts'
import {
  makeCertificates,
  startTestBackend,
  until,
  type TestBackend,
} from '../../test/support/backends/test-backend.ts'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'

interface Usage {
  readonly prompt_tokens: number
  readonly image_tokens: number
  readonly completion_tokens: number
  readonly cached_tokens: number
}

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
beforeEach(async () => {
  backend = await startTestBackend({ certificates })
})
afterEach(() => backend.stop())

const headers = { 'content-type': 'application/json' }

function postText(fields: object) {
  const body = JSON.stringify({ prompt: 'Hello', ...fields })
  return backend.fetch('/generate/text', { method: 'POST', headers, body })
}

async function usageOf(fields: object): Promise<Usage> {
  return ((await (await postText(fields)).json()) as { usage: Usage }).usage
}

async function usageOfStream(fields: object): Promise<Usage> {
  const response = await postText({ ...fields, stream: true })
  for await (const { event, data } of parseEvents(response.body!)) {
    if (event === 'end') return (JSON.parse(data) as { usage: Usage }).usage
  }
  throw new Error('The stream has no end')
}

async function usageOfPicture(): Promise<Usage> {
  const form = new FormData()
  form.append('prompt', 'What is this?')
  form.append('images', new Blob([Uint8Array.of(0x89, 0x50, 0x4e, 0x47)]), 'a.png')
  const response = await backend.fetch('/generate/image', { method: 'POST', body: form })
  return ((await response.json()) as { usage: Usage }).usage
}

async function metrics() {
  return readMetrics(await (await backend.fetch('/metrics')).text())
}

describe('GET /metrics of the backend', () => {
  it('adds up to what the answers themselves say they used', async () => {
    const usages = [
      await usageOf({}),
      await usageOf({ n: 2 }),
      await usageOfStream({}),
      await usageOfPicture(),
    ]
    const seen = await metrics()
    const sum = (name: keyof Usage) => usages.reduce((total, usage) => total + usage[name], 0)
    expect(sum('completion_tokens')).toBeGreaterThan(0)
    expect(seen.get('describe_tokens_total{type="input"}')).toBe(sum('prompt_tokens'))
    expect(seen.get('describe_tokens_total{type="image"}')).toBe(sum('image_tokens'))
    expect(seen.get('describe_tokens_total{type="output"}')).toBe(sum('completion_tokens'))
    expect(seen.get('describe_tokens_total{type="cached"}')).toBe(sum('cached_tokens'))
    expect(seen.get('describe_images_total')).toBe(1)
    expect(
      seen.get('describe_requests_total{route="/generate/text",status="200",code="none"}'),
    ).toBe(3)
    expect(seen.get('gen_ai_server_time_to_first_token_seconds_count')).toBe(4)
    // As in the fake engine: 1 ms queue, 2 ms vision and 3 ms prefill for each, plus preparation.
    expect(seen.get('gen_ai_server_time_to_first_token_seconds_sum')).toBeGreaterThanOrEqual(0.024)
  })

  it('shares the time of decoding among the tokens after the first, of each choice', async () => {
    const { completion_tokens: alone } = await usageOf({})
    const one = await metrics()
    const perToken = 'gen_ai_server_time_per_output_token_seconds_sum'
    expect(one.get(perToken)).toBeCloseTo(0.004 / (alone - 1), 6)
    const { completion_tokens: both } = await usageOf({ n: 2 })
    const two = await metrics()
    expect(two.get(perToken)! - one.get(perToken)!).toBeCloseTo(0.004 / (both / 2 - 1), 6)
  })

  it('counts every pause between two arrivals of tokens', async () => {
    const arrivals = backend.engine.batches.length
    await usageOf({})
    await usageOfStream({})
    const seen = await metrics()
    expect(seen.get('describe_token_gap_seconds_count')).toBe(2 * (arrivals - 1))
  })

  it('counts refusals by their code, under routes of the table only', async () => {
    await postText({ temperature: 9 })
    await backend.fetch('/generate/text', { method: 'POST', headers, body: '{' })
    await backend.fetch('/prompt-of-somebody', { method: 'POST' })
    const seen = await metrics()
    const requests = (labels: string) => seen.get(`describe_requests_total{${labels}}`)
    expect(requests('route="/generate/text",status="400",code="invalid_field"')).toBe(1)
    expect(requests('route="/generate/text",status="400",code="invalid_json"')).toBe(1)
    expect(requests('route="other",status="404",code="not_found"')).toBe(1)
    expect([...seen.keys()].join()).not.toContain('somebody')
    expect(sumOf(seen, 'describe_tokens_total')).toBe(0)
  })

  it('counts what was used for a client that left', async () => {
    backend.engine.beforeBatch = async (index) => {
      if (index === 2) await new Promise(() => {})
    }
    const leave = new AbortController()
    const response = await backend.fetch('/generate/text', {
      method: 'POST',
      headers,
      body: '{"prompt":"Hello","stream":true}',
      signal: leave.signal,
    })
    const reader = response.body!.getReader()
    await reader.read()
    await until(() => backend.engine.running.size === 1)
    await expect.poll(async () => (await metrics()).has('describe_slots_running')).toBe(true)
    leave.abort()
    await reader.read().catch(() => undefined)
    await expect
      .poll(async () => (await metrics()).get('describe_tokens_total{type="output"}') ?? 0)
      .toBeGreaterThan(0)
    expect(
      (await metrics()).get(
        'describe_requests_total{route="/generate/text",status="200",code="cancelled"}',
      ),
    ).toBe(1)
  })

  it('survives a count that goes wrong, and says so', async () => {
    backend.engine.batches = ['A red circle stop']
    // The fake engine counts one token although its text has more: minus what is cut off, that would be less than none.
    const { usage } = (await (await postText({ stop: [' circle'] })).json()) as { usage: Usage }
    expect(usage.completion_tokens).toBeLessThan(0)
    await expect.poll(() => JSON.stringify(backend.logLines)).toContain('request not counted')
    expect((await backend.fetch('/livez')).status).toBe(200)
  })

  it('shows the engine as it is when asked', async () => {
    const idle = backend.engine.snapshot()
    backend.engine.snapshot = () => ({
      ...idle,
      slotsInUse: 3,
      queuedInteractive: 5,
      queuedBatch: 7,
      memory: { ...idle.memory, limitTokens: 1_000, slotTokens: 250, prefixTokens: 500 },
      phases: { ...idle.phases, decode: { count: 12, ms: 600 } },
      speculation: { draftedTokens: 9, acceptedTokens: 6 },
    })
    const seen = await metrics()
    expect(seen.get('describe_slots_running')).toBe(3)
    expect(seen.get('describe_requests_waiting{priority="interactive"}')).toBe(5)
    expect(seen.get('describe_requests_waiting{priority="batch"}')).toBe(7)
    expect(seen.get('describe_kv_cache_usage_ratio{holder="slots"}')).toBe(0.25)
    expect(seen.get('describe_kv_cache_usage_ratio{holder="prefixes"}')).toBe(0.5)
    expect(seen.get('describe_engine_steps_total{phase="decode"}')).toBe(12)
    expect(seen.get('describe_engine_step_seconds_total{phase="decode"}')).toBe(0.6)
    expect(seen.get('describe_engine_draft_tokens_total{outcome="accepted"}')).toBe(6)
    expect(seen.get('describe_engine_draft_tokens_total{outcome="rejected"}')).toBe(3)
    expect(seen.get('describe_ready')).toBe(1)
    backend.readiness = 'model_loading'
    expect((await metrics()).get('describe_ready')).toBe(0)
  })
})
