import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../../shared/api/errors.ts'
import type { GenerateAnswer, Usage } from '../../../shared/api/events.ts'
import type { KeyView } from '../../../shared/api/administration/keys.ts'
import { formatEvent, heartbeatText, parseEvents } from '../../../shared/api/wire/sse.ts'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import {
  formatEndComment,
  formatUsage,
  formatUsageComment,
} from '../../../shared/forward/usage-comment.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../backends/recording-backend.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { timings } from '../answer-timings.ts'

/** Mixed calls whose usage is compared with the recorded usage; 2,000 of them take a minute on a busy machine. */
const ledgerCalls = Number(process.env['LEDGER_CALLS'] ?? 300)

/** Instructions for the backend, given in the prompt. */
type Play = 'whole' | 'stream' | 'stall' | 'slow' | 'error'

/** Behaviour of limits and usage on every platform of the edge. */
export function describeLimits(
  platform: string,
  start: (settings: EdgeSettings) => Promise<RunningEdge>,
): void {
  describe(`limits on ${platform}`, () => {
    let backend: RecordingBackend
    let edge: RunningEdge
    const clients = Array.from({ length: 4 }, () => new Agent({ connections: 40 }))

    beforeAll(async () => {
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      edge = await start({
        apiKey: 'root-key-nobody-guesses-1',
        backendUrl: backend.url,
        certificates,
      })
    })
    afterAll(async () => {
      await Promise.all(clients.map((client) => client.destroy()))
      await edge.stop()
      await backend.close()
    })
    beforeEach(() => {
      backend.reset()
      backend.answer = async ({ body }, response) => {
        const { prompt } = JSON.parse((await body).toString()) as { prompt: string }
        const [play, tokens] = prompt.split(' ') as [Play, string]
        playAnswer(play, usageOf(Number(tokens)), response)
      }
    })

    const asAdmin = async (path: string, body?: unknown): Promise<unknown> => {
      const response = await fetch(`${edge.url}/admin${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'x-api-key': 'root-key-nobody-guesses-1', 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      })
      expect(response.ok).toBe(true)
      return response.json()
    }
    const createKey = async (limits: Record<string, number>) =>
      (await asAdmin('/keys', { limits })) as KeyView & { key: string }
    const ledger = async (id: string) =>
      ((await asAdmin(`/usage?key_id=${id}`)) as { usage: DayUsage[] }).usage
    const call = (key: string, prompt: string, client = 0, signal?: AbortSignal) =>
      request(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ prompt, max_tokens: 5 }),
        dispatcher: clients[client % clients.length]!,
        ...(signal !== undefined && { signal }),
      })

    it('accepts exactly 100 of 1,000 parallel calls of four clients', async () => {
      const { id, key } = await createKey({ requests_per_minute: 100 })
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, async (_, index) => {
          const { statusCode, headers, body } = await call(key, 'whole 1', index)
          return { status: statusCode, headers, body: (await body.json()) as ErrorBody }
        }),
      )
      const refused = answers.filter(({ status }) => status === 429)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
      expect(refused).toHaveLength(900)
      expect(new Set(refused.map(({ body }) => body.error.code))).toEqual(new Set(['rate_limited']))
      for (const { headers } of refused) {
        expect(headers['x-ratelimit-remaining-requests']).toBe('0')
        expect(Number(headers['retry-after'])).toBeLessThan(62)
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
      }
      expect(backend.seen).toHaveLength(100)
      expect(await ledger(id)).toMatchObject([{ requests: 100, completion_tokens: 100 }])
    })

    it('never runs more calls at once than a key may', async () => {
      const { key } = await createKey({ concurrent_requests: 3 })
      const [running, most] = [{ calls: 0 }, { calls: 0 }]
      backend.answer = (_seen, response) => {
        running.calls += 1
        most.calls = Math.max(most.calls, running.calls)
        setTimeout(() => {
          running.calls -= 1
          playAnswer('whole', usageOf(1), response)
        }, 20)
      }
      const statuses = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const { statusCode, body } = await call(key, 'whole 1', index)
          await body.dump()
          return statusCode
        }),
      )
      expect(most.calls).toBeLessThan(4)
      expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(2)
      expect(new Set(statuses)).toEqual(new Set([200, 429]))
    })

    it(`writes down what ${ledgerCalls} mixed calls used, a fifth of them cancelled`, async () => {
      const { id, key } = await createKey({ concurrent_requests: 1_000, tokens_per_day: 1e9 })
      const plays: Play[] = ['whole', 'stream', 'stall', 'error', 'stream']
      const sum = { prompt_tokens: 0, image_tokens: 0, completion_tokens: 0 }
      let next = 0
      const work = async (client: number) => {
        for (let index = next++; index < ledgerCalls; index = next++) {
          const play = plays[index % plays.length]!
          add(sum, await usageToldBy(play, () => call(key, `${play} ${(index % 90) + 1}`, client)))
        }
      }
      await Promise.all(Array.from({ length: 16 }, (_, client) => work(client)))
      const each = ledgerCalls / plays.length
      // A local workerd may notice late that a client has left.
      await expect
        .poll(() => ledger(id))
        .toMatchObject([{ requests: ledgerCalls, errors: each, cancelled: each, ...sum }])
      const [day] = await ledger(id)
      const stalled = Array.from({ length: ledgerCalls }, (_, index) => index)
        .filter((index) => plays[index % plays.length] === 'stall')
        .map((index) => usageOf((index % 90) + 1))
        .reduce((tokens, used) => tokens + used.prompt_tokens + used.completion_tokens, 0)
      expect(day?.unfinished_tokens).toBe(stalled)
    })

    it('keeps no reservation after a storm of clients that leave at any moment', async () => {
      const limits = { concurrent_requests: 500, tokens_per_day: 1e6, images_per_day: 5 }
      const { id, key } = await createKey(limits)
      const plays: Play[] = ['whole', 'stream', 'stall', 'slow', 'error']
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const client = new AbortController()
          const leave = setTimeout(() => client.abort(), (index * 7) % 250)
          const play = plays[index % plays.length]!
          await call(key, `${play} 1`, index, client.signal)
            .then(({ body }) => body.dump())
            .catch(() => undefined)
          clearTimeout(leave)
        }),
      )
      // The request that asks is itself the one that runs.
      const remaining = async () => {
        const { headers, body } = await call(key, 'whole 1')
        await body.dump()
        return headers['x-ratelimit-remaining-concurrent']
      }
      await expect.poll(remaining, { timeout: 20_000 }).toBe('499')
      const [day] = await ledger(id)
      const { headers, body } = await call(key, 'whole 1')
      await body.dump()
      const used = day!.prompt_tokens + day!.completion_tokens + day!.unfinished_tokens
      const { prompt_tokens, completion_tokens } = usageOf(1)
      const left = 1e6 - used - prompt_tokens - completion_tokens
      expect(headers['x-ratelimit-remaining-tokens-day']).toBe(String(left))
    })

    /** What the client learned about a call's usage. */
    async function usageToldBy(
      play: Play,
      send: () => ReturnType<typeof request>,
    ): Promise<Usage | undefined> {
      const { body } = await send()
      switch (play) {
        case 'whole':
        case 'slow':
          return ((await body.json()) as GenerateAnswer).usage
        case 'stream': {
          let last = ''
          for await (const { data } of parseEvents(body)) last = data
          return (JSON.parse(last) as GenerateAnswer).usage
        }
        case 'stall':
          await once(body, 'data')
          body.on('error', () => undefined).destroy()
          return undefined
        case 'error':
          await body.dump()
          return undefined
      }
    }
  })
}

function playAnswer(play: Play, usage: Usage, response: ServerResponse): void {
  const end = { finish_reason: 'stop', timings, request_id: 'r' } as const
  const answerUsage = { ...usage, cached_tokens: 0 }
  const json = { 'content-type': 'application/json' }
  switch (play) {
    case 'whole':
      response
        .writeHead(200, { ...json, [forwardHeaders.usage]: formatUsage(usage) })
        .end(JSON.stringify({ output: 'A cat.', usage, ...end }))
      return
    case 'slow':
      setTimeout(() => playAnswer('whole', usage, response), 300)
      return
    case 'error':
      response.writeHead(503, json).end('{"error":{"code":"model_loading"}}')
      return
    case 'stream':
    case 'stall': {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(formatEvent('delta', { text: 'A cat.' }) + formatUsageComment(usage))
      if (play === 'stream') {
        response.end(formatEvent('end', { ...end, usage: answerUsage }) + formatEndComment(usage))
        return
      }
      // A local workerd notices that its client has left with the next bytes it has to pass on.
      const beating = setInterval(() => response.write(heartbeatText), 50)
      response.on('close', () => clearInterval(beating))
    }
  }
}

function usageOf(tokens: number): Usage {
  return { prompt_tokens: tokens * 3, image_tokens: tokens * 2, completion_tokens: tokens }
}

function add(sum: Record<keyof Usage, number>, usage: Usage | undefined): void {
  if (usage === undefined) return
  sum.prompt_tokens += usage.prompt_tokens
  sum.image_tokens += usage.image_tokens
  sum.completion_tokens += usage.completion_tokens
}
