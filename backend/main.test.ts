import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates, until } from '../test/support/backends/test-backend.ts'
import { readMetrics, sumOf } from '../shared/metrics/read-metrics.ts'
import { TestHub } from '../test/support/model/test-hub.ts'
import {
  createCertificates,
  type CertificateSet,
} from '../shared/node/certificates/create-certificates.ts'

let certificates: CertificateSet
let stateDir: string
beforeAll(async () => {
  certificates = await makeCertificates('edge')
  stateDir = mkdtempSync(join(tmpdir(), 'backend-'))
  mkdirSync(join(stateDir, 'certs'))
  writeCertificates(certificates)
})
afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

function writeCertificates({ ca, server, serverKey }: CertificateSet): void {
  for (const [name, pem] of Object.entries({ ca, server, 'server-key': serverKey })) {
    writeFileSync(join(stateDir, 'certs', `${name}.pem`), pem)
  }
}

function start(settings: Record<string, string>, stdout: 'pipe' | number = 'pipe') {
  const env = { STATE_DIR: stateDir, BACKEND_PORT: '0', THREADS: '1', ...settings }
  const stdio = ['ignore', stdout, 'pipe', 'ipc'] as const
  const child = fork('backend/main.mjs', [], { env, stdio: [...stdio] })
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (text) => (output.stdout += String(text)))
  child.stderr?.on('data', (text) => (output.stderr += String(text)))
  return { child, output, ended: once(child, 'close') as Promise<[number | null, string | null]> }
}

/** A stream of `max_tokens` tokens of the nano model, whose own ends are ruled out. */
function endless(max_tokens: number) {
  const logit_bias: Record<string, number> = {}
  for (let id = 1024; id < 1280; id++) logit_bias[id] = -100
  const fields = { prompt: 'Hello', stream: true, logit_bias, max_tokens }
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  }
}

interface Readyz {
  readonly checks: object
  readonly startup: Readonly<Record<string, number>>
}

/** The port that the program says it listens on. */
async function portOf(output: { stdout: string }, message = 'listening'): Promise<number> {
  const line = () => output.stdout.split('\n').find((text) => text.includes(`"${message}"`))
  await until(() => line() !== undefined)
  return (JSON.parse(line()!) as { port: number }).port
}

/** On a connection of its own, which a server that stops does not close. */
async function healthOf(port: number): Promise<unknown[]> {
  const { ca, client: cert, clientKey: key } = certificates
  const dispatcher = new Agent({ connect: { ca, cert, key } })
  try {
    const health = await fetch(`https://localhost:${port}/health`, { dispatcher })
    return [health.status, await health.json()]
  } finally {
    await dispatcher.destroy()
  }
}

async function untilStopping(port: number): Promise<void> {
  const stopping = [503, { status: 'unavailable', reason: 'shutting_down' }]
  await expect.poll(() => healthOf(port)).toEqual(stopping)
}

async function readyOf(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown]
  return message
}

describe('the backend program', () => {
  it('listens while it loads, serves, and ends with 0 on SIGTERM', async () => {
    const { child, output, ended } = start({})
    const ready = readyOf(child)
    const port = await portOf(output)
    const { ca, client: cert, clientKey: key } = certificates
    const dispatcher = new Agent({ connect: { ca, cert, key } })
    const ask = (path: string, init = {}) =>
      fetch(`https://localhost:${port}${path}`, { dispatcher, ...init })
    const question = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"prompt":"Hello","temperature":0,"max_tokens":3}',
    }

    const early = await ask('/health')
    expect([early.status, await early.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'model_loading' },
    ])
    expect(await (await ask('/livez')).json()).toEqual({ status: 'alive' })
    const notReady = await ask('/readyz')
    expect([notReady.status, await notReady.json()]).toMatchObject([
      503,
      { checks: { model_loaded: false, test_generation: false, not_draining: true } },
    ])
    const refused = await ask('/generate/text', question)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ error: { code: 'model_loading' } })

    expect(await ready).toEqual({ type: 'ready', port })
    expect(await (await ask('/health')).json()).toEqual({ status: 'healthy' })
    const isReady = await ask('/readyz')
    expect([isReady.status, await isReady.json()]).toMatchObject([
      200,
      { status: 'ready', startup: { engine_starts: 1 } },
    ])
    expect(await (await ask('/status')).json()).toMatchObject({
      modelMemory: { fits: true },
      engine: { visionRuns: 1 },
    })
    const answer = await ask('/generate/text', question)
    expect(await answer.json()).toMatchObject({
      finish_reason: 'length',
      usage: { completion_tokens: 3 },
    })

    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(output.stderr).toBe('')
    for (const line of output.stdout.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) as string })
    }
    await dispatcher.destroy()
  })

  it('serves metrics and probes on a plain listener, if it has a port for that', async () => {
    const { child, output, ended } = start({ BACKEND_METRICS_PORT: '0' })
    const ready = readyOf(child)
    await until(() => output.stdout.includes('metrics and probes'))
    const lines = output.stdout.split('\n').filter((line) => line.includes('metrics and probes'))
    const { port } = JSON.parse(lines[0] ?? '') as { port: number }
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    expect((await ask('/livez')).status).toBe(200)
    expect((await ask('/readyz')).status).toBe(503)
    await ready
    expect((await ask('/readyz')).status).toBe(200)
    expect((await ask('/status')).status).toBe(404)
    const metrics = readMetrics(await (await ask('/metrics')).text())
    expect(metrics.get('describe_ready')).toBe(1)
    // Of the backend's own test generation, which is nobody's request.
    expect(metrics.get('describe_engine_images_total')).toBe(1)
    expect(metrics.get('describe_engine_steps_total{phase="vision"}')).toBeGreaterThan(0)
    expect(metrics.get('describe_engine_steps_total{phase="prefill"}')).toBeGreaterThan(0)
    expect(sumOf(metrics, 'describe_tokens_total')).toBe(0)
    expect(metrics.get('describe_decode_processes')).toBeGreaterThan(0)
    // The one that encodes texts is always ready; nothing was compiled.
    expect(metrics.get('describe_worker_threads')).toBe(1)
    const memory = metrics.get('describe_child_resident_memory_bytes{process="engine"}')
    const least = process.platform === 'linux' ? 1_000_000 : 0
    expect(memory).toBeGreaterThanOrEqual(least)
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  it('when stopping lets answers end, and says on new connections that it is not ready', async () => {
    const { child, ended } = start({ LOG_LEVEL: 'silent' })
    const { port } = (await readyOf(child)) as { port: number }
    const { ca, client: cert, clientKey: key } = certificates
    const dispatcher = new Agent({ connect: { ca, cert, key } })
    const stream = await fetch(`https://localhost:${port}/generate/text`, {
      ...endless(600),
      dispatcher,
    })
    child.kill('SIGTERM')
    await untilStopping(port)
    expect(await stream.text()).toMatch(/event: end\ndata: .*"finish_reason":"length"/)
    expect(await ended).toEqual([0, null])
    await dispatcher.destroy()
  })

  it.each([
    ['that takes longer than DRAIN_TIMEOUT_MS', { DRAIN_TIMEOUT_MS: '200' }, false],
    ['when it is told twice', {}, true],
  ])('when stopping ends an answer %s with an event', async (_which, settings, isHurried) => {
    const { child, ended } = start({ LOG_LEVEL: 'silent', ...settings })
    const { port } = (await readyOf(child)) as { port: number }
    const { ca, client: cert, clientKey: key } = certificates
    const dispatcher = new Agent({ connect: { ca, cert, key } })
    const url = `https://localhost:${port}/generate/text`
    const stream = await fetch(url, { ...endless(4_000), dispatcher })
    child.kill('SIGTERM')
    if (isHurried) {
      // Two signals that arrive at the same time are one.
      await untilStopping(port)
      child.kill('SIGTERM')
    }
    expect(await stream.text()).toMatch(/event: error\ndata: .*"shutting_down"/)
    expect(await ended).toEqual([0, null])
    await dispatcher.destroy()
  })

  it.runIf(process.platform === 'linux').each(['/dev/full', 'a pipe nobody reads'])(
    'serves and ends as ever when its log goes to %s',
    async (log) => {
      const fd = log === '/dev/full' ? openSync(log, 'w') : ('pipe' as const)
      const { child, output, ended } = start({}, fd)
      child.stdout?.destroy()
      const { port } = (await readyOf(child)) as { port: number }
      const { ca, client: cert, clientKey: key } = certificates
      const dispatcher = new Agent({ connect: { ca, cert, key } })
      for (let count = 0; count < 20; count++) {
        const answer = await fetch(`https://localhost:${port}/status`, { dispatcher })
        expect(answer.status).toBe(200)
        await answer.arrayBuffer()
      }
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      expect(output.stderr).toBe('')
      await dispatcher.destroy()
      if (typeof fd === 'number') closeSync(fd)
    },
  )

  it('reads its certificates again on SIGHUP, and goes on', async () => {
    const { child, output, ended } = start({})
    await portOf(output)
    writeCertificates(await makeCertificates('edge'))
    child.kill('SIGHUP')
    await until(() => output.stdout.includes('certificates replaced'))
    writeCertificates(certificates)
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  it('lives on with a certificate that has expired, is not ready, and is with a new one', async () => {
    const yearsAgo = Date.now() - 10 * 365 * 24 * 3_600_000
    const names = { server: ['localhost'], client: 'edge' }
    writeCertificates(await createCertificates(names, yearsAgo))
    const { child, output, ended } = start({ BACKEND_METRICS_PORT: '0' })
    try {
      await until(() => output.stdout.includes('listening for metrics and probes'))
      const line = output.stdout.split('\n').find((one) => one.includes('metrics and probes'))!
      const { port } = JSON.parse(line) as { port: number }
      const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
      const checks = async () => {
        const { checks: all } = (await (await ask('/readyz')).json()) as { checks: object }
        return all
      }
      await readyOf(child)
      expect((await ask('/livez')).status).toBe(200)
      expect((await ask('/readyz')).status).toBe(503)
      expect(await checks()).toMatchObject({ certificates: false, test_generation: true })
      writeCertificates(certificates)
      child.kill('SIGHUP')
      await until(() => output.stdout.includes('certificates replaced'))
      expect(await checks()).toMatchObject({ certificates: true })
      expect((await ask('/readyz')).status).toBe(200)
    } finally {
      writeCertificates(certificates)
      child.kill('SIGTERM')
    }
    expect(await ended).toEqual([0, null])
  })

  it('ends with 0 when its launcher goes away, also while it loads', async () => {
    const { child, output } = start({})
    await portOf(output)
    // Node tells no `close` of a child whose channel was closed by hand.
    const ended = once(child, 'exit')
    child.disconnect()
    expect(await ended).toEqual([0, null])
    expect(output.stderr).toBe('')
  })

  describe('given the name of a model on the hub', () => {
    let hub: TestHub
    beforeAll(async () => {
      hub = await TestHub.start()
      const nano = 'models/kimi-vl-nano'
      const files = readdirSync(nano).map((name) => [name, readFileSync(join(nano, name))] as const)
      hub.models.set('moonshotai/Nano', { commit: 'e'.repeat(40), files: new Map(files) })
    })
    afterAll(() => hub.close())
    const settings = () => ({
      MODEL_PATH: 'moonshotai/Nano',
      HF_ENDPOINT: hub.endpoint,
      HF_HOME: join(stateDir, 'home'),
    })

    it('downloads it, ends with 0 in the midst of that, goes on, and serves', async () => {
      hub.pauseMs = 200
      const first = start(settings())
      const small = join(stateDir, 'checkpoints', 'moonshotai--Nano.partial', 'config.json')
      await until(() => existsSync(small))
      first.child.kill('SIGTERM')
      expect(await first.ended).toEqual([0, null])
      hub.pauseMs = 0
      const { child, output, ended } = start(settings())
      await readyOf(child)
      expect(output.stdout).toContain('of it already here')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    })

    it('answers probes meanwhile, is not ready, and refuses requests', async () => {
      hub.models.set('moonshotai/Slow', { ...hub.models.get('moonshotai/Nano')! })
      hub.pauseMs = 200
      const { child, output, ended } = start({ ...settings(), MODEL_PATH: 'moonshotai/Slow' })
      const port = await portOf(output, 'answering probes until the model is downloaded')
      const { ca, client: cert, clientKey: key } = certificates
      const dispatcher = new Agent({ connect: { ca, cert, key } })
      const ask = async (path: string, init = {}) => {
        const answer = await fetch(`https://localhost:${port}${path}`, { ...init, dispatcher })
        return [answer.status, await answer.json()]
      }
      await until(() => output.stdout.includes('downloading moonshotai/Slow'))
      expect(await ask('/livez')).toEqual([200, { status: 'alive' }])
      expect(await ask('/health')).toEqual([
        503,
        { status: 'unavailable', reason: 'model_loading' },
      ])
      const [status, { checks, startup }] = (await ask('/readyz')) as [number, Readyz]
      expect([status, checks]).toEqual([
        503,
        {
          model_loaded: false,
          test_generation: false,
          queue: true,
          certificates: true,
          not_draining: true,
        },
      ])
      expect(startup['bytes_to_download']).toBeGreaterThan(5_000_000)
      expect(startup['downloaded_bytes']).toBeLessThan(startup['bytes_to_download']!)
      const post = { method: 'POST', body: '{"prompt":"Hello"}' }
      expect(await ask('/generate/text', post)).toMatchObject([
        503,
        { error: { code: 'model_loading', message: 'The model is still being downloaded' } },
      ])
      await dispatcher.close()
      hub.pauseMs = 0
      await readyOf(child)
      expect(await healthOf(await portOf(output))).toEqual([200, { status: 'healthy' }])
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    })

    it('says what the hub says', async () => {
      const { output, ended } = start({ ...settings(), MODEL_PATH: 'moonshotai/None' })
      expect(await ended).toEqual([1, null])
      expect(output.stderr).toMatch(
        /^Cannot load the model in moonshotai\/None: there is no folder .* answers 401 .*\n$/,
      )
    })
  })

  it('names a taken port in one line', async () => {
    const holder = createServer()
    holder.listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    const { output, ended } = start({ BACKEND_PORT: String(port) })
    expect(await ended).toEqual([1, null])
    expect(output.stderr).toBe(`Cannot listen on 127.0.0.1:${port}: the port is taken\n`)
    holder.close()
  })

  it.each([
    [{ SLOTS: '0', MAX_TOKENS: 'many' }, /^These settings .*\n  MAX_TOKENS: .*\n  SLOTS: .*\n$/],
    [{ ALLOWED_CLIENTS: 'edge,*.example' }, /\n  ALLOWED_CLIENTS: /],
    [{ TLS_KEY: '/nowhere/key.pem' }, /^Cannot read \/nowhere\/key.pem \(TLS_KEY\)\n$/],
    [{ TLS_CA: 'README.md' }, /^README.md \(TLS_CA\) holds no certificate\n$/],
    [{ TLS_CERT: 'package.json' }, /^TLS_CA, TLS_CERT and TLS_KEY are not .*\n$/],
    [{ MODEL_PATH: '/nowhere' }, /^Cannot load the model.*\n$/],
  ])('ends with 1 and says why, given %o', async (settings, message) => {
    const { output, ended } = start(settings)
    expect(await ended).toEqual([1, null])
    expect(output.stderr).toMatch(message)
  })
})
