import { describe, expect, it } from 'vitest'
import { createTracing } from './create-tracing.ts'
import { Phases, recordPhases } from './phases.ts'
import type { SamplerName } from './settings.ts'

const trace = 'abcdef0123456789abcdef0123456789'
const sampled = `00-${trace}-00f067aa0ba902b7-01`
const unsampled = `00-${trace}-00f067aa0ba902b7-00`

function tracingWith(name: SamplerName, share = 1) {
  const bodies: string[] = []
  const tracing = createTracing({
    config: {
      url: 'http://collector/v1/traces',
      headers: [],
      timeoutMs: 1_000,
      delayMs: 1_000,
      sampler: { name, share },
      resource: { 'service.name': 'test' },
    },
    now: () => 0,
    concurrency: 1,
    flushesWithRequests: true,
    send: async (_url, { body }) => {
      bodies.push(new TextDecoder().decode(body as Uint8Array))
      return new Response()
    },
  })
  const begin = (traceparent?: string) =>
    tracing.begin({
      name: 'GET',
      headers: new Headers(traceparent === undefined ? {} : { traceparent }),
      at: 0,
    })
  return { tracing, begin, bodies }
}

describe('createTracing()', () => {
  it.each<[SamplerName, number, string | undefined, boolean]>([
    ['always_on', 1, unsampled, true],
    ['always_off', 1, sampled, false],
    ['traceidratio', 0, sampled, false],
    ['traceidratio', 1, undefined, true],
    ['parentbased_always_on', 1, unsampled, false],
    ['parentbased_always_on', 1, undefined, true],
    ['parentbased_always_off', 1, sampled, true],
    ['parentbased_always_off', 1, undefined, false],
    ['parentbased_traceidratio', 0, sampled, true],
    ['parentbased_traceidratio', 0, undefined, false],
  ])('samples by %s (%d) with parent %s: %s', (name, share, parent, isRecorded) => {
    const span = tracingWith(name, share).begin(parent)
    expect(span.isRecorded).toBe(isRecorded)
    // Whoever comes next decides alike.
    expect(span.headers()['traceparent']).toMatch(isRecorded ? /-01$/ : /-00$/)
  })

  it('continues a trace, and begins one where the parent is not valid', () => {
    const { begin } = tracingWith('parentbased_always_on')
    expect(begin(sampled).headers()['traceparent']).toMatch(`00-${trace}-`)
    for (const invalid of ['', 'ff', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `${sampled}-x`]) {
      const { traceparent = '' } = begin(invalid).headers()
      expect(traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/)
      expect(traceparent).not.toContain(trace)
    }
  })

  it('sends nothing of what is not sampled', async () => {
    const { tracing, begin, bodies } = tracingWith('parentbased_always_on')
    const span = begin(unsampled)
    const phases = new Phases<string>()
    phases.enter('read', 0)
    recordPhases(span, phases.until(1))
    span.end(1)
    await tracing.flush()
    expect(bodies).toEqual([])
  })
})

describe('Phases', () => {
  it('follow each other without gaps, whatever clocks say', () => {
    const phases = new Phases<string>()
    phases.enter('read', 5)
    phases.enter('prepare', 8)
    phases.enter('queue', 7)
    expect(phases.until(6)).toEqual([
      { name: 'read', from: 5, to: 8 },
      { name: 'prepare', from: 8, to: 8 },
      { name: 'queue', from: 8, to: 8 },
    ])
    expect(new Phases().until(3)).toEqual([])
  })
})
