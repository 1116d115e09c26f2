import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  startEngineStandIn,
  type EngineStandIn,
} from '../../test/support/engines/engine-stand-in.ts'
import { misbehaviours, type Misbehaviour } from '../../test/support/engines/misbehaviour.ts'
import {
  question,
  readDescription,
  startTestCluster,
  type TestCluster,
} from '../../test/support/engines/test-cluster.ts'
import { ServiceError, type ErrorCode } from '../../shared/api/errors.ts'
import type { GenerationEvent, Usage } from '../../shared/api/events.ts'

/** Short enough for a test to wait, long enough for the stand-in to send what it does send on a busy machine. */
const limits = { headersMs: 2_000, firstTokenMs: 2_000, gapMs: 2_000 }

interface Outcome {
  readonly code: ErrorCode
  /** Whether text comes before it. */
  readonly text: boolean
}

const broken = { code: 'engine_restarted', text: true } as const
const failed = { code: 'engine_restarted', text: false } as const

type Tolerated = 'no_usage' | 'false_usage' | 'slow_headers' | 'drip'
const tolerated: readonly Tolerated[] = ['no_usage', 'false_usage', 'slow_headers', 'drip']

const outcomes: Readonly<Record<Exclude<Misbehaviour, Tolerated>, Outcome>> = {
  stall_before_headers: failed,
  stall_before_token: failed,
  stall_mid_stream: broken,
  cut_before_headers: failed,
  cut_mid_stream: broken,
  status_400_context: { code: 'context_length_exceeded', text: false },
  status_400: { code: 'unsupported_field', text: false },
  status_401: { code: 'backend_unavailable', text: false },
  status_429: { code: 'queue_full', text: false },
  status_500: failed,
  status_503: { code: 'backend_unavailable', text: false },
  error_after_200: broken,
  error_object_after_200: broken,
  not_json: broken,
  not_utf8: broken,
  no_done: broken,
  no_finish: broken,
  aborted: broken,
  wrong_type: failed,
  html: failed,
  endless_line: broken,
  endless_comments: broken,
  endless_roles: broken,
  endless_text: broken,
  wrong_model: failed,
  wrong_choice: failed,
  text_after_end: broken,
}

const never = new AbortController().signal

let engine: EngineStandIn
let cluster: TestCluster
beforeAll(async () => {
  engine = await startEngineStandIn({ kind: 'vllm' })
  cluster = await startTestCluster({ urls: [engine.url], limits })
  await cluster.readyOnce
})
afterAll(async () => {
  await cluster.close()
  await engine.stop()
})

async function expectService(): Promise<void> {
  engine.wrong = undefined
  await expect.poll(() => cluster.isReady(), { timeout: 20_000 }).toBe(true)
  const { texts } = await readDescription(cluster.describer.describe(question(), never))
  expect(texts).toEqual(['A red circle on white.'])
}

it.each(misbehaviours.filter((wrong) => wrong in outcomes) as (keyof typeof outcomes)[])(
  'ends %s in its stated error, counts what was used, and serves afterwards',
  async (wrong) => {
    engine.wrong = wrong
    const { code, text } = outcomes[wrong]
    const events: GenerationEvent[] = []
    const usages: Usage[] = []
    const asked = engine.bodies.length
    const request = question({ onUsage: (usage) => usages.push(usage) })
    const answer = readDescription(cluster.describer.describe(request, never), events)
    const thrown: unknown = await answer.then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(thrown).toBeInstanceOf(ServiceError)
    expect(thrown).toMatchObject({ code })
    expect(String(thrown)).not.toContain('/opt/secret')
    expect(events.some(({ type }) => type === 'end')).toBe(false)
    expect(events.some(({ type }) => type === 'delta')).toBe(text)
    expect(usages.length > 0).toBe(text)
    // With one engine there is nowhere else to go.
    expect(engine.bodies.length).toBe(asked + 1)
    // The connection to an engine that goes on for ever is closed.
    await expect.poll(() => engine.running).toBe(0)
    await expectService()
  },
)

it.each(tolerated)('gives the whole answer in spite of %s', async (wrong) => {
  engine.wrong = wrong
  const { texts, end } = await readDescription(cluster.describer.describe(question(), never))
  expect(texts).toEqual(['A red circle on white.'])
  expect(end.usage.completion_tokens).toBeGreaterThanOrEqual(6)
  expect(end.usage.completion_tokens).toBeLessThan(20)
  await expectService()
})

it('reports when a busy engine may be asked again', async () => {
  engine.wrong = 'status_429'
  const answer = readDescription(cluster.describer.describe(question(), never))
  await expect(answer).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 7 })
  engine.wrong = undefined
})
