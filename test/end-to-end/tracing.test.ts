import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  startTraceCollector,
  type CollectedSpan,
  type TraceCollector,
} from '../support/network/trace-collector.ts'
import { eventually } from './eventually.ts'
import { endLaunch, startProduct, type Call, type Product } from './product.ts'
import {
  answerOf,
  eventsOf,
  formCall,
  goldenImage,
  jsonCall,
  streamedAnswerOf,
} from './requests.ts'

const greedy = { temperature: 0 }
const hello = { ...greedy, prompt: 'Hello!' }
const secretPrompt = 'The word is rhabarber.'

let lastTrace = 0

/** A trace that a client begins: its id, and the call with it. */
function traced(call: Call, flags = '01'): { readonly traceId: string; readonly call: Call } {
  lastTrace += 1
  const traceId = lastTrace.toString(16).padStart(32, 'a')
  const headers = {
    ...call.headers,
    traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}`,
    tracestate: 'vendor=1',
  }
  return { traceId, call: { ...call, headers } }
}

describe.each(['worker', 'node'])('traces with EDGE=%s', (edge) => {
  let collector: TraceCollector
  let product: Product
  beforeAll(async () => {
    collector = await startTraceCollector()
    product = await startProduct({
      EDGE: edge,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-the-collector',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    })
  })
  afterAll(async () => {
    await endLaunch(product)
    await collector.stop()
  })

  const spansOf = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId)

  /** The spans of a trace, once both programs have sent the last of theirs. */
  const traceOf = (traceId: string, last = ['describe-edge', 'describe-backend']) =>
    eventually(async () => {
      const spans = spansOf(traceId)
      const isServer = ({ kind }: CollectedSpan) => kind === 2
      const ended = spans.filter(isServer).map(({ service }) => service)
      return last.every((service) => ended.includes(service)) ? spans : undefined
    })

  /** Paths of names from the root, as far as the trace goes: each span below its parent. */
  const treeOf = (spans: readonly CollectedSpan[]) => {
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const pathOf = ({ name, parentSpanId }: CollectedSpan): string => {
      const parent = byId.get(parentSpanId ?? '')
      return parent === undefined ? name : `${pathOf(parent)} > ${name}`
    }
    return spans.map(pathOf)
  }

  const theEdge = 'POST /generate/image'
  const theBackend = `${theEdge} > forward > POST /generate/image`
  const theModel = `${theBackend} > chat kimi-vl-nano`
  const whole = [
    theEdge,
    `${theEdge} > authenticate`,
    `${theEdge} > read`,
    `${theEdge} > reserve`,
    `${theEdge} > forward`,
    `${theEdge} > forward > backend`,
    `${theEdge} > forward > relay`,
    theBackend,
    `${theBackend} > read`,
    theModel,
    `${theModel} > prepare`,
    `${theModel} > queue`,
    `${theModel} > vision`,
    `${theModel} > prefill`,
    `${theModel} > decode`,
  ]

  const describeImage = (name: string, fields: object = {}) =>
    formCall({ ...greedy, prompt: secretPrompt, max_tokens: 5, ...fields }, [
      ['picture-of-somebody.png', goldenImage(name)],
    ])

  it('follow a whole answer from its client to the phases of the model', async () => {
    const { traceId, call } = traced(describeImage('g01.png'))
    const { usage } = await answerOf(await product.edge('/generate/image', call))
    const spans = await traceOf(traceId)
    expect(new Set(treeOf(spans))).toEqual(new Set(whole))
    const named = (name: string) => spans.find((span) => span.name === name)!
    const model = named('chat kimi-vl-nano')
    expect(model.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'kimi-vl-nano',
      'gen_ai.request.max_tokens': 5,
      'gen_ai.usage.input_tokens': usage.prompt_tokens,
      'gen_ai.usage.output_tokens': usage.completion_tokens,
      'gen_ai.usage.cache_read.input_tokens': usage.cached_tokens,
      'gen_ai.response.finish_reasons': ['length'],
    })
    const [root] = spans.filter(({ service, kind }) => service === 'describe-edge' && kind === 2)
    expect(root).toMatchObject({
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'vendor=1',
      attributes: { 'http.response.status_code': 200, 'http.route': '/generate/image' },
      isError: false,
    })
    for (const { startMs, endMs } of spans) expect(endMs).toBeGreaterThanOrEqual(startMs)
    // Other clocks, and a millisecond of workerd's.
    for (const { startMs, endMs } of spans) {
      expect(startMs).toBeGreaterThan(root!.startMs - 1_000)
      expect(endMs).toBeLessThan(root!.endMs + 1_000)
    }
    expect(collector.headers()).toMatchObject({ authorization: 'Bearer of-the-collector' })
  })

  it('follow a streamed answer', async () => {
    const { traceId, call } = traced(describeImage('g02.png', { stream: true }))
    const { usage } = await streamedAnswerOf(await product.edge('/generate/image', call))
    const spans = await traceOf(traceId)
    expect(new Set(treeOf(spans))).toEqual(new Set(whole))
    for (const service of ['describe-edge', 'describe-backend']) {
      const told = spans
        .filter((span) => span.service === service)
        .map(({ attributes }) => attributes['gen_ai.usage.output_tokens'])
      expect(told).toContain(usage.completion_tokens)
    }
  })

  it('say which error a request ended with, and where', async () => {
    const garbage = new Blob([new Uint8Array(100)])
    const { traceId, call } = traced(formCall(hello, [['a.png', garbage]]))
    expect((await product.edge('/generate/image', call)).status).toBe(400)
    const spans = await traceOf(traceId)
    const failed = spans.filter(({ isError }) => isError)
    expect(new Set(failed.map(({ attributes }) => attributes['error.type']))).toEqual(
      new Set(['unsupported_image']),
    )
    expect(new Set(treeOf(spans).filter((path) => path.startsWith(theModel)))).toEqual(
      new Set([theModel, `${theModel} > prepare`]),
    )

    const stranger = traced(jsonCall(hello))
    const headers = { ...stranger.call.headers, 'x-api-key': 'nobody-has-this-key-000000' }
    await product.edge('/generate/text', { ...stranger.call, headers })
    const refused = await traceOf(stranger.traceId, ['describe-edge'])
    expect(refused.map(({ attributes }) => attributes['error.type'])).toContain('invalid_api_key')
    expect(treeOf(refused)).toEqual(
      expect.arrayContaining(['POST /generate/text', 'POST /generate/text > authenticate']),
    )
  })

  it('end where a client left', async () => {
    const leaving = new AbortController()
    const counting = { ...greedy, prompt: 'Count from 1 to 60.', stream: true }
    const { traceId, call } = traced({ ...jsonCall(counting), signal: leaving.signal })
    const response = await product.edge('/generate/text', call)
    for await (const { event } of eventsOf(response)) if (event === 'delta') break
    leaving.abort()
    const spans = await traceOf(traceId)
    const tree = treeOf(spans)
    expect(tree.some((path) => path.endsWith('> decode'))).toBe(true)
    const servers = spans.filter(({ kind }) => kind === 2)
    expect(servers.map(({ attributes }) => attributes['error.type'])).toContain('cancelled')
  })

  it('are left out when the client says so, and begun where it says nothing that is valid', async () => {
    const unsampled = traced(jsonCall(hello), '00')
    await answerOf(await product.edge('/generate/text', unsampled.call))
    const { headers, ...call } = jsonCall({ ...hello, max_tokens: 3 })
    const invalid = { ...headers, traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }
    const answer = await product.edge('/generate/text', { ...call, headers: invalid })
    const { request_id: id } = await answerOf(answer)
    const begun = await eventually(async () =>
      collector.spans.find(({ attributes }) => attributes['describe.request_id'] === id),
    )
    expect(begun.traceId).not.toBe('0'.repeat(32))
    expect((await traceOf(begun.traceId)).length).toBeGreaterThan(8)
    expect(spansOf(unsampled.traceId)).toEqual([])
  })

  it.each([503, 400, 'hang'] as const)(
    'leave requests alone when the collector answers with %s, and come again later',
    async (behaviour) => {
      collector.behaviour = behaviour
      const before = collector.requests()
      try {
        const answers = Array.from({ length: 8 }, () =>
          product.edge('/generate/text', jsonCall({ ...hello, max_tokens: 3 })).then(answerOf),
        )
        for (const { output } of await Promise.all(answers)) expect(output).not.toBe('')
        await eventually(async () => collector.requests() > before)
      } finally {
        collector.behaviour = 200
      }
      const { traceId, call } = traced(jsonCall(hello))
      await answerOf(await product.edge('/generate/text', call))
      await eventually(async () => {
        // A Worker sends with its requests.
        await product.edge('/generate/text', jsonCall({ ...hello, max_tokens: 1 }))
        return spansOf(traceId).some(({ service }) => service === 'describe-edge')
      })
      expect((await traceOf(traceId)).length).toBeGreaterThan(8)
    },
  )

  it('hold no prompt, no key and no name of a file, and nothing of probes', () => {
    const sent = collector.text()
    for (const secret of ['rhabarber', product.apiKey, 'somebody', 'nobody-has-this-key']) {
      expect(sent).not.toContain(secret)
    }
    expect(collector.spans.map(({ name }) => name).join()).not.toMatch(/health|readyz|livez/)
  })
})
