import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import {
  acceptable,
  forbiddenAmong,
  type HostileCase,
  readHostileUrls,
  scriptedAnswers,
  sendAnswer,
  scriptedMs,
  type Verdict,
} from '../support/network/hostile-network.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import type { EdgeSettings, RunningEdge } from '../support/suites/edge-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

const list = readHostileUrls()
const cases = list.cases.filter((hostile) => hostile.platform !== 'node')

/** Milliseconds; the smallest value allowed for a Worker. */
const shortDeadlineMs = '1000'

describe('hostile URLs on the Worker, in workerd, with a scripted internet behind a proxy', () => {
  const internet = new ScriptedProxy()
  let backend: RecordingBackend
  let edge: RunningEdge
  /** Does not wait long for answers that would arrive too late. */
  let hastyEdge: RunningEdge

  beforeAll(async () => {
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      Date.now(),
    )
    backend = await RecordingBackend.start(certificates)
    const settings: EdgeSettings = {
      apiKey: 'a-key-that-nobody-guesses',
      backendUrl: backend.url,
      certificates,
    }
    const internetProxy = await internet.listen()
    edge = await startWorkerd(settings, { internetProxy })
    const vars = { DEADLINE_MS: shortDeadlineMs }
    hastyEdge = await startWorkerd(settings, { internetProxy, vars })
  })
  afterAll(async () => {
    await Promise.all([edge.stop(), hastyEdge.stop()])
    internet.close()
    await backend.close()
  })
  beforeEach(() => backend.reset())

  it.each(cases)('hostile $id: $verdict ($why)', async (hostile) => {
    const hopeless = (await scriptedMs(hostile)) > list.policy.timeout_ms
    internet.play(hostile)
    const verdict = await judge(hopeless ? hastyEdge : edge, hostile.url)
    expect(acceptable(hostile)).toContain(verdict)
    expect(forbiddenAmong(internet.connected, hostile)).toEqual([])
    expect(backend.seen).toHaveLength(verdict === 'allow' ? 1 : 0)
  })
})

/** The edge's verdict on the URL; an answer that is neither an image nor a rejection of the URL is neither. */
async function judge(edge: RunningEdge, url: string): Promise<Verdict | undefined> {
  const response = await fetch(`${edge.url}/generate/image_url`, {
    method: 'POST',
    headers: { 'x-api-key': 'a-key-that-nobody-guesses', 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'What is it?', image_url: url }),
  })
  const body = (await response.json()) as ErrorBody
  if (response.status === 200) return 'allow'
  const { code } = body.error
  const isRefusal = code.startsWith('image_') || code === 'deadline_exceeded'
  return isRefusal || code === 'invalid_field' ? 'deny' : undefined
}

/** An HTTP proxy to a scripted internet; what workerd requests from it is what it would connect to. */
class ScriptedProxy {
  readonly connected: string[] = []
  readonly #server: Server
  #answerTo = scriptedAnswers({ id: '', url: '', verdict: 'allow', why: '' })

  constructor() {
    // workerd omits the header towards a proxy.
    this.#server = createServer({ requireHostHeader: false }, (request, response) => {
      const url = new URL(request.url ?? '')
      const host = url.hostname.replace(/^\[|\]$/g, '')
      this.connected.push(isIP(host) === 0 ? list.defaults.dns : host)
      sendAnswer(this.#answerTo(url.href), response).catch((error: unknown) => {
        response.destroy(error as Error)
      })
    })
  }

  play(hostile: HostileCase): void {
    this.connected.length = 0
    this.#answerTo = scriptedAnswers(hostile)
  }

  /** @returns host and port */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
