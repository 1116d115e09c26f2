import { afterEach, describe, expect, it, vi } from 'vitest'
import { errorBody, errorResponse, ServiceError } from '../../../../shared/api/errors.ts'
import { formatEvent } from '../../../../shared/api/wire/sse.ts'
import { AskFailure } from './problem.ts'
import { requestOf } from './question.ts'
import { sendQuestion } from './send.ts'

const never = new AbortController().signal
const picture = new File(['x'], 'a b.png', { type: 'image/png' })
const settings = { temperature: 0, response_format: { type: 'json_object' } } as const
const question = { prompt: 'Hi', pictures: [], settings }

const usage = { prompt_tokens: 9, image_tokens: 0, completion_tokens: 1, cached_tokens: 0 }
const ms = { prepare_ms: 1, queue_ms: 0, vision_ms: 0, prefill_ms: 3, decode_ms: 4, total_ms: 8 }
const end = { finish_reason: 'stop', usage, timings: ms, request_id: 'req_1' } as const
const queued = formatEvent('queued', { request_id: 'req_1', position: 0 })
const delta = ': usage 9 0 1\n\n' + formatEvent('delta', { text: 'Hello' })

afterEach(() => vi.unstubAllGlobals())

/** Answers every fetch with what `answer` returns. @returns what was fetched */
function stubFetch(answer: () => Response | Promise<Response>) {
  const fetched = vi.fn<typeof fetch>(async () => answer())
  vi.stubGlobal('fetch', fetched)
  return fetched
}

async function eventsOf(request = requestOf(question), key?: string, signal = never) {
  const events: unknown[] = []
  try {
    for await (const event of sendQuestion(request, key, signal)) events.push(event)
  } catch (error) {
    events.push(error instanceof AskFailure ? error.problem.title : error)
  }
  return events
}

describe('sendQuestion()', () => {
  it('yields the events of the answer', async () => {
    const fetched = stubFetch(() => new Response(queued + delta + formatEvent('end', end)))
    expect(await eventsOf(undefined, 'secret')).toEqual([
      { type: 'queued', data: { request_id: 'req_1', position: 0 } },
      { type: 'delta', data: { text: 'Hello' } },
      { type: 'end', data: end },
    ])
    const [path, init] = fetched.mock.calls[0]!
    expect([path, init?.body]).toEqual([
      '/generate/text',
      '{"prompt":"Hi","temperature":0,"response_format":{"type":"json_object"}}',
    ])
    expect(init?.headers).toMatchObject({ accept: 'text/event-stream', 'x-api-key': 'secret' })
  })

  it('sends files as a form, in which every other value is text', async () => {
    const fetched = stubFetch(() => new Response(formatEvent('end', end)))
    const pictures = [{ kind: 'file', file: picture, thumbnail: undefined }] as const
    await eventsOf(requestOf({ ...question, pictures }))
    const [path, init] = fetched.mock.calls[0]!
    expect(path).toBe('/generate/image')
    const form = init?.body as FormData
    expect(form.get('temperature')).toBe('0')
    expect(form.get('response_format')).toBe('{"type":"json_object"}')
    expect((form.get('images') as File).name).toBe('a b.png')
    expect(init?.headers).not.toHaveProperty('content-type')
  })

  it.each([
    ['in a stream', () => new Response(queued + formatEvent('error', errorBody(tooMany, 'req_1')))],
    ['instead of one', () => errorResponse(tooMany, 'req_1')],
  ])('tells an error %s', async (_where, answer) => {
    stubFetch(answer)
    expect((await eventsOf()).at(-1)).toBe('Too many questions in a short time')
  })
  const tooMany = new ServiceError('rate_limited', 'At most 5')

  it.each([
    ['before its end', () => new Response(queued + delta), 'The answer broke off'],
    ['within an event', () => new Response(delta.slice(0, -8)), 'The answer broke off'],
    ['from a proxy', () => new Response('<html>', { status: 502 }), 'The server cannot be reached'],
  ])('tells an answer that breaks off %s', async (_where, answer, title) => {
    stubFetch(answer)
    expect((await eventsOf()).at(-1)).toBe(title)
  })

  it('names the request of an answer that broke off', async () => {
    stubFetch(() => new Response(queued + delta, { headers: { 'x-request-id': 'req_1' } }))
    const last = sendQuestion(requestOf(question), undefined, never)
    const all = async () => {
      for await (const _ of last);
    }
    await expect(all()).rejects.toMatchObject({ problem: { requestId: 'req_1' } })
  })

  it('reports that there is no network', async () => {
    stubFetch(() => Promise.reject(new TypeError('Failed to fetch')))
    vi.stubGlobal('navigator', { onLine: false })
    expect(await eventsOf()).toEqual(['You are offline'])
  })

  it('passes on that it was aborted', async () => {
    const stopped = AbortSignal.abort()
    stubFetch(() => Promise.reject(stopped.reason as Error))
    expect(await eventsOf(undefined, undefined, stopped)).toEqual([stopped.reason])
  })
})
