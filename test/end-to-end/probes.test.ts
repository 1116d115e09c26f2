import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { findFreePorts } from '../../scripts/start/port.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
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

/** Starts the product, and asks its probes from before it listens. */
async function begin(settings: Readonly<Record<string, string>> = {}): Promise<void> {
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
    ...settings,
  })
  watch = new ProbeWatch({
    'edge alive': `http://${host}:${edgeMetrics}/livez`,
    'edge ready': `http://${host}:${edgeMetrics}/readyz`,
    'backend alive': `http://${host}:${backendMetrics}/livez`,
    'backend ready': `http://${host}:${backendMetrics}/readyz`,
  })
}

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

/**
 * No probe of life failed or was late; whoever was refused had been told, or was told at once, that nothing is ready.
 * @param readiness the probes that must have told
 */
function expectTruth(readiness = ['backend ready', 'edge ready']): void {
  for (const name of ['edge alive', 'backend alive']) {
    const answers = watch.answersOf(name)
    expect(answers.length).toBeGreaterThan(10)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b)
    expect(times[Math.floor(times.length * 0.9)]).toBeLessThan(aliveMs)
  }
  const refused = witnesses.filter(({ status }) => status !== 200)
  for (const { from, to, status } of refused) {
    for (const name of readiness) {
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
      await begin()
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
      await begin()
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
      await begin()
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

  it(
    'tell the truth while the certificates have expired, and once there are new ones',
    async () => {
      await begin()
      const url = await isReady()
      const folder = join(launched.stateDir, 'certs')
      const replace = (files: Readonly<Record<string, string>>) =>
        Promise.all(
          Object.entries(files).map(([name, pem]) => writeFile(join(folder, `${name}.pem`), pem)),
        )
      const read = async (name: string) =>
        [name, await readFile(join(folder, `${name}.pem`), 'utf8')] as const
      const files = ['ca', 'server', 'server-key', 'client', 'client-key']
      const right = Object.fromEntries(await Promise.all(files.map(read)))
      const yearsAgo = Date.now() - 10 * 365 * 24 * 3_600_000
      const names = { server: ['localhost', host], client: 'edge' }
      const { ca, server, serverKey, client, clientKey } = await createCertificates(names, yearsAgo)
      const expired = { ca, server, 'server-key': serverKey, client, 'client-key': clientKey }
      const statusOf = (name: string) => watch.answersOf(name).at(-1)?.status
      const bothAre = (status: number) => () =>
        statusOf('edge ready') === status && statusOf('backend ready') === status
      const fault = async () => {
        await replace(expired)
        await eventually(bothAre(503))
        await delay(lateMs)
        await replace(right)
        await eventually(bothAre(200))
        await delay(2 * lateMs)
      }
      await bearWitness(url, fault())
      expect(witnesses[0]?.status).toBe(200)
      expect(witnesses.map(({ status }) => status)).toContain(503)
      expect(witnesses.at(-1)?.status).toBe(200)
      // Each program reads its files at a time of its own, so the backend may be ready for an edge that is not.
      expectTruth(['edge ready'])
    },
    startTimeoutMs,
  )

  // Linux has a device that is always full.
  it.skipIf(!existsSync('/dev/full'))(
    'are answered, and so are requests, with a full log disk and a collector that takes traces but does not answer',
    async () => {
      const collector = createServer((socket) => socket.on('error', () => undefined))
      collector.listen(0, host)
      await once(collector, 'listening')
      const stateDir = await mkdtemp(join(tmpdir(), 'describe-state-'))
      await mkdir(join(stateDir, 'logs'))
      for (const name of ['edge', 'backend'])
        await symlink('/dev/full', join(stateDir, 'logs', `${name}.log`))
      const { port } = collector.address() as AddressInfo
      await begin({ STATE_DIR: stateDir, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${host}:${port}` })
      const collected = once(collector, 'connection')
      await bearWitness(await isReady(), Promise.all([collected, delay(4_000)]))
      expect(new Set(witnesses.map(({ status }) => status))).toEqual(new Set([200]))
      expectTruth()
      collector.close()
    },
    startTimeoutMs,
  )

  it(
    'never say ready when the backend’s port is taken',
    async () => {
      const holder = createServer()
      holder.listen(0, host)
      await once(holder, 'listening')
      const { port } = holder.address() as AddressInfo
      await begin({ BACKEND_PORT: String(port) })
      expect(await launched.ended).toBe(1)
      expect(launched.output()).toMatch(/^Port .* set BACKEND_PORT/m)
      for (const name of ['edge ready', 'backend ready'])
        expect(watch.answersOf(name).map(({ status }) => status)).not.toContain(200)
      holder.close()
    },
    startTimeoutMs,
  )
})
