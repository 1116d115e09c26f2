/** Leaving and deadlines in every phase of a request: the real server and engine over a fake model. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  makeCertificates,
  startTestBackend,
  until,
  type TestBackend,
} from '../../test/support/backends/test-backend.ts'
import { FakeModel } from '../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt, readAnswer } from '../../test/support/inference/jobs.ts'
import type { GenerateAnswer } from '../../shared/api/events.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'
import { createEngine } from '../engine/engine.ts'
import type { Processor } from '../processor/processor.ts'

const phases = ['image decode', 'queued', 'vision', 'prefill', 'decode'] as const
type Phase = (typeof phases)[number]

let certificates: CertificateSet
let backend: TestBackend
beforeAll(async () => {
  certificates = await makeCertificates('edge')
})
afterEach(() => backend.stop())

/** A gate at which every caller waits until it is opened. */
function createGate() {
  let open = (): void => {}
  let reached = false
  const opened = new Promise<void>((resolve) => (open = resolve))
  const pass = (): Promise<void> => {
    reached = true
    return opened
  }
  return { open, pass, isReached: () => reached }
}

/** A backend in which a request about one image stops in `phase` until the gate is opened. */
async function start(phase: Phase) {
  const gate = createGate()
  const busy = createGate()
  const model: FakeModel = new FakeModel(
    { slots: 1, contextTokens: 4_096 },
    {
      onLook: () => (phase === 'vision' ? gate.pass() : undefined),
      onStep: async (rows) => {
        if (phase === 'queued') return busy.pass()
        const isPrompt = rows.some(({ tokenIds }) => tokenIds.length > 1)
        if (phase === 'prefill' && isPrompt) return gate.pass()
        if (phase === 'decode' && model.steps.length > 5) return gate.pass()
      },
    },
  )
  const engine = createEngine({ model, queueLimit: 4 })
  let preparing = 0
  const processor: Processor = {
    stopIds: [],
    controlIdsFrom: 56,
    thoughtMarks: { begin: [], end: [] },
    async prepare(_messages, _images, { signal }) {
      preparing += 1
      const left = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
      left.catch(() => {})
      try {
        if (phase === 'image decode') await Promise.race([gate.pass(), left])
      } finally {
        preparing -= 1
      }
      return { ...imagePrompt([4, 4]), imageTokens: 4 }
    },
    createDetokenizer: () => ({
      push: (ids) => ids.map((id) => `${id} `).join(''),
      flush: () => '',
    }),
    tokenText: String,
    tokenBytes: () => new Uint8Array(),
    close: async () => {},
  }
  backend = await startTestBackend({ certificates, parts: { processor, engine } })
  const other =
    phase === 'queued'
      ? readAnswer(engine.generate(createJob({ maxTokens: 1 }), new AbortController().signal))
      : undefined
  const isReached = () =>
    phase === 'queued' ? busy.isReached() && engine.snapshot().queued === 1 : gate.isReached()
  /** Lets everything run on; settles when nothing is held any more. */
  const letGo = async () => {
    gate.open()
    busy.open()
    await other
    await until(() => engine.snapshot().slotsInUse + engine.snapshot().queued + preparing === 0)
  }
  return { engine, model, isReached, letGo }
}

interface Fields {
  readonly stream: boolean
  readonly timeout_ms?: number
  readonly max_tokens?: number
}

function ask(fields: Fields, signal?: AbortSignal, headers: Record<string, string> = {}) {
  return backend.fetch('/generate/text', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ prompt: 'a', temperature: 0, max_tokens: 500, ...fields }),
    ...(signal && { signal }),
  })
}

const manners = [
  ['streamed', true],
  ['whole', false],
] as const

describe.each(manners)('a client that leaves a %s answer', (_, stream) => {
  it.each(phases)('frees what it holds: %s', async (phase) => {
    const { engine, model, isReached, letGo } = await start(phase)
    const leaving = new AbortController()
    const answer = ask({ stream }, leaving.signal)
    const read = answer.then((response) => response.text()).catch(() => 'left')
    await until(isReached)
    const { steps } = engine.snapshot()
    leaving.abort()
    expect(await read).toBe('left')
    await until(() => backend.logLines.some(({ code }) => code === 'cancelled'))
    expect(engine.snapshot().queued).toBe(0)
    await letGo()
    expect(model.openSlots).toBe(0)
    // The step it was in, or the one of the job it waited for.
    expect(engine.snapshot().steps).toBeLessThanOrEqual(steps + 1)
    expect(engine.snapshot()).toMatchObject({ slotsInUse: 0, cachedTokens: 0, queuedWork: 0 })
  })
})

/** Of a stream's last event; a comment stands behind it. */
function lastData(text: string): string {
  return [...text.matchAll(/^data: (.*)$/gm)].at(-1)?.[1] ?? ''
}

describe.each(manners)('timeout_ms of a %s answer', (_, stream) => {
  it.each(phases.filter((phase) => phase !== 'decode'))(
    'ends it with deadline_exceeded when nothing was generated yet: %s',
    async (phase) => {
      const { model, isReached, letGo } = await start(phase)
      const asked = ask({ stream, timeout_ms: 400 })
      await until(isReached)
      const response = await asked
      const text = await response.text()
      expect(response.status).toBe(stream ? 200 : 504)
      const body = stream ? lastData(text) : text
      expect(JSON.parse(body)).toMatchObject({
        error: { code: 'deadline_exceeded', message: expect.stringContaining('400 ms') as string },
      })
      await letGo()
      expect(model.openSlots).toBe(0)
    },
  )

  it('ends it with what was generated by then', async () => {
    const { model, letGo } = await start('decode')
    model.hooks.onStep = () => new Promise((resolve) => setTimeout(resolve, 5))
    const response = await ask({ stream, timeout_ms: 1_000, max_tokens: 3_000 })
    expect(response.status).toBe(200)
    const text = await response.text()
    const end = JSON.parse(stream ? lastData(text) : text) as GenerateAnswer
    expect(end.finish_reason).toBe('timeout')
    expect(end.usage.completion_tokens).toBeGreaterThan(0)
    expect(end.usage.completion_tokens).toBeLessThan(3_000)
    const output = stream
      ? [...text.matchAll(/data: (\{"text.*)/g)]
          .map(([, data]) => (JSON.parse(data!) as { text: string }).text)
          .join('')
      : end.output
    expect(output.trim().split(' ')).toHaveLength(end.usage.completion_tokens)
    await letGo()
    expect(model.openSlots).toBe(0)
  })
})

describe('x-deadline-ms', () => {
  it('leaves time for the answer so far', async () => {
    const { model } = await start('decode')
    model.hooks.onStep = () => new Promise((resolve) => setTimeout(resolve, 5))
    // A tenth of it is kept for the way back.
    const headers = { 'x-deadline-ms': '2000' }
    const response = await ask({ stream: false, max_tokens: 3_000 }, undefined, headers)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ finish_reason: 'timeout' })
  })
})

describe('equal request ids at the same time', () => {
  it('are answered each', async () => {
    const { model } = await start('decode')
    model.hooks.onStep = () => {}
    const headers = { 'x-request-id': 'the-very-same-id' }
    const responses = await Promise.all(
      [1, 2].map(() => ask({ stream: false, max_tokens: 3 }, undefined, headers)),
    )
    expect(responses.map(({ status }) => status)).toEqual([200, 200])
  })
})

describe('who waits', () => {
  it.each([
    [{ 'x-key-id': 'key_7' }, 'key:key_7'],
    [{}, 'client:edge'],
    // A key whose id is the name of the certificate is somebody else.
    [{ 'x-key-id': 'edge' }, 'key:edge'],
  ])('is known by its key, else by its certificate: %o', async (headers, tenant) => {
    backend = await startTestBackend({ certificates })
    const response = await ask({ stream: false }, undefined, headers)
    expect(response.status).toBe(200)
    expect(backend.engine.jobs).toMatchObject([{ tenant, priority: 'interactive' }])
  })
})
