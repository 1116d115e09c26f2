import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, BlockList, connect, isIP, isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { buildConnector } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type HostileCase,
  readHostileUrls,
  scriptedAnswers,
  slowestAnswerMs,
  type Verdict,
  wireAnswer,
} from '../../test/hostile-network.ts'
import { fetchImage, type Transport } from '../fetch/fetch-image.ts'
import { createPublicTransport, type Resolve } from './public-agent.ts'

const list = readHostileUrls()
const neverAborted = new AbortController().signal

/** Written apart from the product's own table, with node's own matcher, so that both must agree. */
const forbiddenIpv4 = new BlockList()
const forbiddenIpv6 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['168.63.129.16', 32],
] as const) {
  forbiddenIpv4.addSubnet(network, bits, 'ipv4')
}
for (const [network, bits] of [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const) {
  forbiddenIpv6.addSubnet(network, bits, 'ipv6')
}

describe('hostile URLs', () => {
  it('hostile list is complete', () => {
    expect(list.cases).toHaveLength(list.count)
    expect(new Set(list.cases.map((hostile) => hostile.id)).size).toBe(list.count)
  })

  describe('on Node, through the pinned agent and real sockets', () => {
    const network = new ScriptedSockets()
    beforeAll(() => network.listen())
    afterAll(() => network.close())

    it.each(list.cases)('hostile $id: $verdict ($why)', async (hostile) => {
      const connected: string[] = []
      network.play(hostile)
      const { transport, close } = createPublicTransport({
        resolve: scriptedResolver(hostile),
        connect: network.connector(connected),
      })
      try {
        expect(acceptable(hostile)).toContain(await judge(hostile, transport))
        expect(forbiddenAmong(connected, hostile)).toEqual([])
      } finally {
        await close()
      }
    })
  })

  describe('on the Worker, through a stubbed fetch', () => {
    const cases = list.cases.filter((hostile) => hostile.platform !== 'node')

    it.each(cases)('hostile $id: $verdict ($why)', async (hostile) => {
      const connected: string[] = []
      expect(acceptable(hostile)).toContain(await judge(hostile, stubbedFetch(hostile, connected)))
      expect(forbiddenAmong(connected, hostile)).toEqual([])
    })
  })
})

async function judge(hostile: HostileCase, transport: Transport): Promise<Verdict> {
  const hopeless = (await slowestAnswerMs(hostile)) > list.policy.timeout_ms
  const timeoutMs = hopeless ? 300 : list.policy.timeout_ms
  const outcome = await fetchImage(hostile.url, { transport, signal: neverAborted, timeoutMs })
  return outcome.ok ? 'allow' : 'deny'
}

function acceptable(hostile: HostileCase): Verdict[] {
  return hostile.also_ok === undefined ? [hostile.verdict] : [hostile.verdict, hostile.also_ok]
}

function forbiddenAmong(connected: readonly string[], hostile: HostileCase): string[] {
  return connected.filter((address) => {
    if (hostile.must_not_connect?.includes(address) === true) return true
    // A v4-mapped address counts as its IPv4, which the matcher knows.
    const asIpv6 = isIPv6(address) && !address.startsWith('::ffff:')
    const blocks = asIpv6 ? forbiddenIpv6 : forbiddenIpv4
    return blocks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  })
}

function scriptedResolver(hostile: HostileCase): Resolve {
  const lookups = new Map<string, number>()
  return async (hostname) => {
    const answers = hostile.setup?.dns?.[hostname] ?? [[list.defaults.dns]]
    const nth = lookups.get(hostname) ?? 0
    lookups.set(hostname, nth + 1)
    return answers[Math.min(nth, answers.length - 1)] ?? []
  }
}

/** Answers by script; ignores the signal, so that the fetcher's own deadline has to act. */
function stubbedFetch(hostile: HostileCase, connected: string[]): Transport {
  const answerTo = scriptedAnswers(hostile)
  return async (url) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
    connected.push(isIP(host) === 0 ? list.defaults.dns : host)
    const wire = await wireAnswer(answerTo(url))
    if (wire.delayMs > 0) await sleep(wire.delayMs, undefined, { ref: false })
    const pieces = wire.pieces.values()
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = pieces.next()
        if (piece.done === true) {
          return wire.breaks ? controller.error(new TypeError('Broken')) : controller.close()
        }
        if (wire.pauseMs > 0) await sleep(wire.pauseMs, undefined, { ref: false })
        if (piece.value.length > 0) controller.enqueue(piece.value)
        else if (!wire.breaks) controller.close()
      },
    })
    return new Response(body, { status: wire.status, headers: wire.headers })
  }
}

/** Two real servers on loopback, one for each scheme, behind a connector that pretends to reach the given address. */
class ScriptedSockets {
  readonly #servers: Record<'http:' | 'https:', Server>
  #answerTo = scriptedAnswers({ id: '', url: '', verdict: 'allow', why: '' })

  constructor() {
    this.#servers = { 'http:': this.#server('http:'), 'https:': this.#server('https:') }
  }

  play(hostile: HostileCase): void {
    this.#answerTo = scriptedAnswers(hostile)
  }

  async listen(): Promise<void> {
    for (const server of Object.values(this.#servers)) {
      await once(server.listen(0, '127.0.0.1'), 'listening')
    }
  }

  close(): void {
    for (const server of Object.values(this.#servers)) {
      server.close()
      server.closeAllConnections()
    }
  }

  connector(connected: string[]): buildConnector.connector {
    return (target, callback) => {
      connected.push(target.hostname)
      const server = this.#servers[target.protocol as 'http:' | 'https:']
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      Object.defineProperty(socket, 'remoteAddress', { value: target.hostname })
      socket.once('connect', () => callback(null, socket))
      socket.on('error', (error) => callback(error, null))
    }
  }

  #server(scheme: 'http:' | 'https:'): Server {
    return createServer((request, response) => {
      const answer = this.#answerTo(
        new URL(`${scheme}//${request.headers.host}${request.url}`).href,
      )
      void wireAnswer(answer)
        .then((wire) => send(wire, response))
        .catch((error: unknown) => response.destroy(error as Error))
    })
  }
}

async function send(
  wire: Awaited<ReturnType<typeof wireAnswer>>,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.on('error', () => gone.abort())
  const pause = (ms: number) => (ms > 0 ? sleep(ms, undefined, { signal: gone.signal }) : undefined)
  try {
    await pause(wire.delayMs)
    response.writeHead(wire.status, wire.headers)
    response.flushHeaders()
    for (const piece of wire.pieces) {
      await pause(wire.pauseMs)
      response.write(piece)
    }
    if (wire.breaks) response.destroy()
    else response.end()
  } catch (error) {
    if (!gone.signal.aborted) throw error
  }
}
