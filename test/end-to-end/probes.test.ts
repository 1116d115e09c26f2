import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findFreePorts } from '../../scripts/start/port.ts'
import { ProbeWatch } from '../support/probe-watch.ts'
import { eventually } from './eventually.ts'
import { descendantsOf } from './processes.ts'
import { endLaunch, launch, type Launch } from './product.ts'

const host = '127.0.0.1'

/** Milliseconds for a start on a machine that does other things too. */
const startTimeoutMs = 120_000

/** Milliseconds for a probe that is late on a busy machine: its answer is what a request would have met. */
const lateMs = 2_500

/** Milliseconds within which nine of ten probes of life are answered: a load or an answer that blocks one takes far longer. */
const aliveMs = 1_000

/** A request that came to its end, and whether it was answered. */
interface Witness {
  readonly from: number
  readonly to: number
  readonly status: number | undefined
}

let launched: Launch
let watch: ProbeWatch
let metricsPort: number
const witnesses: Witness[] = []

beforeEach(async () => {
  witnesses.length = 0
  const wanted = { host, port: 0, setting: 'PORT' }
  const [edge = 0, edgeMetrics = 0, backendMetrics = 0] = await findFreePorts([
    wanted,
    wanted,
    wanted,
  ])
  metricsPort = backendMetrics
  launched = await launch({
    EDGE: 'node',
    PORT: String(edge),
    METRICS_PORT: String(edgeMetrics),
    BACKEND_METRICS_PORT: String(backendMetrics),
  })
  watch = new ProbeWatch({
    'edge alive': `http://${host}:${edgeMetrics}/livez`,
    'edge ready': `http://${host}:${edgeMetrics}/readyz`,
    'backend alive': `http://${host}:${backendMetrics}/livez`,
    'backend ready': `http://${host}:${backendMetrics}/readyz`,
  })
})
afterEach(async () => {
  await watch.stop()
  await endLaunch(launched)
})

const inferenceProcess = () =>
  descendantsOf(launched.child.pid!).find(({ command }) => command.includes('inference/child.ts'))

const isReady = () => eventually(() => /^ready (\S+)$/m.exec(launched.output())?.[1])

/** A small request every now and then, until `until` has settled. */
async function bearWitness(url: string, until: Promise<unknown>): Promise<void> {
  const key = (await readFile(join(launched.stateDir, 'api-key'), 'utf8')).trim()
  const enough = new AbortController()
  const settled = until.finally(() => enough.abort())
  while (!enough.signal.aborted) {
    const from = performance.now()
    const status = await ask(url, key)
    witnesses.push({ from, to: performance.now(), status })
    await delay(50)
  }
  await settled
}

function ask(url: string, key: string): Promise<number | undefined> {
  return fetch(`${url}/generate/text`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Hello!', max_tokens: 2 }),
  }).then(
    async (response) => {
      await response.text()
      return response.status
    },
    () => undefined,
  )
}

/** No probe of life failed or was late; whoever was refused had been told, or was told at once, that nothing is ready. */
function expectTruth(): void {
  for (const name of ['edge alive', 'backend alive']) {
    const answers = watch.answersOf(name)
    expect(answers.length).toBeGreaterThan(10)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
    expect(times[Math.floor(times.length * 0.9)]).toBeLessThan(aliveMs)
  }
  const refused = witnesses.filter(({ status }) => status !== 200)
  for (const { from, to, status } of refused) {
    for (const name of ['backend ready', 'edge ready']) {
      const lied = watch.saidReady(name, from, to + lateMs)
      expect(lied, `${name} while ${status} after ${to - from} ms`).toBe(false)
    }
  }
}

const notReadyOnce = (name: string, since: number) =>
  watch.answersOf(name).some(({ at, status }) => at >= since && status === 503)

describe('probes, ten times a second', () => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'tell the truth while inference loads and gets %s',
    async (signal) => {
      const victim = await eventually(inferenceProcess)
      process.kill(victim.pid, signal)
      await eventually(() => watch.answersOf('backend ready').length > 0)
      if (signal === 'SIGSTOP') await delay(2_000)
      const early = watch.answersOf('backend ready').map(({ status }) => status)
      expect(early).not.toContain(200)
      if (signal === 'SIGSTOP') process.kill(victim.pid, 'SIGCONT')
      const url = await isReady()
      await bearWitness(url, delay(1_500))
      expect(witnesses.map(({ status }) => status)).toContain(200)
      expect(watch.answersOf('backend ready')[0]?.status).toBe(503)
      expectTruth()
    },
    startTimeoutMs,
  )

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'tell the truth while inference serves and gets %s',
    async (signal) => {
      const url = await isReady()
      const victim = inferenceProcess()!
      const killedAt = performance.now()
      const fault = async () => {
        await delay(500)
        process.kill(victim.pid, signal)
        await eventually(() => notReadyOnce('backend ready', killedAt))
        await eventually(() => watch.answersOf('backend ready').at(-1)?.status === 200)
        await delay(2 * lateMs)
      }
      await bearWitness(url, fault())
      expect(witnesses[0]?.status).toBe(200)
      expect(witnesses.at(-1)?.status).toBe(200)
      expect(inferenceProcess()?.pid).not.toBe(victim.pid)
      expectTruth()
    },
    startTimeoutMs,
  )

  it(
    'are answered, and so are requests, while a scraper does not read and others say nothing',
    async () => {
      const url = await isReady()
      const sockets = Array.from({ length: 30 }, (_, index) => {
        const socket = connect(metricsPort, host)
        socket.on('error', () => undefined).pause()
        if (index === 0) socket.write('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(200))
        return socket
      })
      await Promise.all(sockets.map((socket) => once(socket, 'connect')))
      await bearWitness(url, delay(4_000))
      for (const socket of sockets) socket.destroy()
      expect(new Set(witnesses.map(({ status }) => status))).toEqual(new Set([200]))
      expectTruth()
    },
    startTimeoutMs,
  )
})
