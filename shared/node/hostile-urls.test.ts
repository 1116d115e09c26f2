import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { buildConnector } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  acceptable,
  forbiddenAmong,
  type HostileCase,
  readHostileUrls,
  scriptedAnswers,
  sendAnswer,
  scriptedMs,
  type Verdict,
  wireAnswer,
} from '../../test/support/network/hostile-network.ts'
import { fetchImage, type Transport } from '../fetch/fetch-image.ts'
import { createPublicTransport, type Resolve } from './public-agent.ts'

const list = readHostileUrls()
const neverAborted = new AbortController().signal

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
  const hopeless = (await scriptedMs(hostile)) > list.policy.timeout_ms
  const timeoutMs = hopeless ? 300 : list.policy.timeout_ms
  const outcome = await fetchImage(hostile.url, { transport, signal: neverAborted, timeoutMs })
  return outcome.ok ? 'allow' : 'deny'
}

function scriptedResolver(hostile: HostileCase): Resolve {
  const scripted = new Map(
    Object.entries(hostile.setup?.dns ?? {}).map(([name, answers]) => [asLookedUp(name), answers]),
  )
  const lookups = new Map<string, number>()
  return async (hostname) => {
    const name = asLookedUp(hostname)
    const answers = scripted.get(name) ?? [[list.defaults.dns]]
    const nth = lookups.get(name) ?? 0
    lookups.set(name, nth + 1)
    return answers[Math.min(nth, answers.length - 1)] ?? []
  }
}

/** A name as a resolver knows it: in ASCII, without the dot of the root. */
function asLookedUp(name: string): string {
  return new URL(`http://${name}`).hostname.replace(/\.$/, '')
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
      const url = new URL(`${scheme}//${request.headers.host}${request.url}`).href
      sendAnswer(this.#answerTo(url), response).catch((error: unknown) => {
        response.destroy(error as Error)
      })
    })
  }
}
