import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { routes } from '../../../shared/api/routes.ts'
import type { Lab, Way } from './lab.ts'
import { openSockets, residentBytes } from './process-counts.ts'

/** What a storm of requests, most of which break off, leaves behind. */
export interface StormReport {
  readonly way: Way['name']
  readonly requests: number
  readonly finished: number
  /** Sockets of the edge, beyond those it had before. */
  readonly socketsLeft: number
  /** Requests still running at the backend. */
  readonly runningLeft: number
  /** Requests that still count against the key's limit of concurrent requests. */
  readonly reservationsLeft: number
  /** 10^6 bytes: after a first storm, which warms up, and after the one that counts. */
  readonly beforeMb: number
  readonly afterMb: number
}

interface StormOptions {
  readonly requests: number
  /** From 0 up to 1; seeded, so that a storm can be repeated. */
  readonly random: () => number
}

/** Requests in progress at the same time. */
const concurrency = 32

/** Milliseconds within which a client that leaves does so: long enough to hit every phase of a request. */
const patienceMs = 120

/** Milliseconds after which idle connections have closed on both sides, with some to spare. */
const settleMs = 8_000

/** Streams, complete answers and uploads through one edge; three in four clients leave at a random moment. */
export async function runStorm(
  lab: Lab,
  way: Way,
  { requests, random }: StormOptions,
): Promise<StormReport> {
  await blow(way, Math.ceil(requests / 2), random)
  await delay(settleMs)
  const [socketsBefore, before] = [openSockets(way.pid), residentBytes(way.pid)]
  const finished = await blow(way, requests, random)
  await delay(settleMs)
  const [socketsAfter, after] = [openSockets(way.pid), residentBytes(way.pid)]
  const { running } = await lab.countAtBackend()
  return {
    way: way.name,
    requests,
    finished,
    socketsLeft: Math.max(0, socketsAfter - socketsBefore),
    runningLeft: running,
    reservationsLeft: await countReservations(way),
    beforeMb: before / 1e6,
    afterMb: after / 1e6,
  }
}

/** @returns how many were answered completely */
async function blow(way: Way, requests: number, random: () => number): Promise<number> {
  const client = way.connect()
  let left = requests
  let finished = 0
  const worker = async () => {
    while (left > 0) {
      left -= 1
      const leaving = new AbortController()
      const stays = random() < 0.25
      const timer = setTimeout(() => leaving.abort(), random() * patienceMs)
      if (stays) clearTimeout(timer)
      if (await ask(way, client, random(), leaving.signal)) finished += 1
      clearTimeout(timer)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  await client.destroy()
  return finished
}

/** @returns whether it was answered completely */
async function ask(
  { origin, headers }: Way,
  client: Dispatcher,
  kind: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { path, ...request } = requestOf(kind)
  try {
    const { body, statusCode } = await client.request({
      origin,
      path,
      method: 'POST',
      headers: { ...headers, 'content-type': request.type },
      body: request.body,
      signal,
    })
    for await (const chunk of body) void chunk
    return statusCode === 200
  } catch {
    return false
  }
}

function requestOf(kind: number): { path: string; type: string; body: string | Buffer } {
  const json = { path: routes.text.path, type: 'application/json' }
  const fields = { prompt: 'Hello!', max_tokens: 20, seed: 4 }
  if (kind < 0.5) return { ...json, body: JSON.stringify({ ...fields, stream: true }) }
  if (kind < 0.75) return { ...json, body: JSON.stringify(fields) }
  const type = 'multipart/form-data; boundary=part-of-the-storm'
  return { path: routes.image.path, type, body: Buffer.alloc(300_000, 7) }
}

/** Read from the key's own rate-limit headers; this request is itself one of them. */
async function countReservations({ origin, headers, connect }: Way): Promise<number> {
  const client = connect()
  const response = await client.request({
    origin,
    path: routes.text.path,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Hello!', max_tokens: 1 }),
  })
  await response.body.dump()
  await client.destroy()
  const header = (name: string) => Number(response.headers[`x-ratelimit-${name}-concurrent`])
  return header('limit') - header('remaining') - 1
}
