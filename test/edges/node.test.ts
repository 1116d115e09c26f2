import { fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { programs } from '../../scripts/support/programs.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import { describeEdge } from '../support/suites/edge-suite.ts'
import { startNodeEdge, tlsSettings, writeCertificates } from '../support/edges/node-edge.ts'

describeEdge('Node', startNodeEdge)

describe('the Node edge', () => {
  it('names every setting that is missing or wrong, and ends with 1', async () => {
    const { code, output } = await runToEnd({ BACKEND_URL: 'http://plain', PORT: '99999' })
    expect(code).toBe(1)
    for (const name of ['API_KEY', 'BACKEND_URL', 'PORT']) expect(output).toContain(name)
    expect(output).not.toMatch(/ at |node_modules/)
  })

  it.each([
    ['addresses that are none', { BACKENDS: 'a.internal,b.internal' }, 'BACKENDS'],
    ['no key', { API_KEY: '' }, 'API_KEY: is required'],
    ['a key that can be guessed', { API_KEY: 'swordfish' }, 'make one with `openssl rand -hex 24`'],
    [
      'neither yes nor no',
      { REVOCATION_CUTS_STREAMS: 'maybe' },
      'REVOCATION_CUTS_STREAMS: expected',
    ],
  ])('tells of %s without a stack', async (_what, wrong, expected) => {
    const { code, output } = await runToEnd({ API_KEY: 'a-key-that-nobody-guesses', ...wrong })
    expect(code).toBe(1)
    expect(output).toContain(expected)
    expect(output).not.toMatch(/ at |node_modules|received undefined/)
  })

  it('serves metrics and probes on a plain listener, if it has a port for that', async () => {
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      Date.now(),
    )
    const settings = { apiKey: 'a-key-that-nobody-guesses', backendUrl: 'https://localhost:1' }
    const edge = await startNodeEdge({ ...settings, certificates }, { METRICS_PORT: '0' })
    onTestFinished(() => edge.stop())
    const [, port] = /"port":(\d+),"msg":"listening for metrics/.exec(edge.output()) ?? []
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    expect((await ask('/livez')).status).toBe(200)
    const ready = await ask('/readyz')
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { checks: { backend: false, keys: true, limits: true, certificate: true } },
    ])
    expect((await ask('/health')).status).toBe(404)
    await fetch(`${edge.url}/generate/text`, { method: 'POST' })
    expect(await (await ask('/metrics')).text()).toContain(
      'describe_edge_requests_total{route="/generate/text",status="401",code="missing_api_key"} 1',
    )
  })

  it('says in one line that its port is taken, and ends with 1', async () => {
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      Date.now(),
    )
    const folder = await writeCertificates(certificates)
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const { code, output } = await runToEnd({
      API_KEY: 'a-key-that-nobody-guesses',
      PORT: String(port),
      STATE_DIR: folder,
      ...tlsSettings(folder),
    })
    holder.close()
    await rm(folder, { recursive: true })
    expect([code, output.trim()]).toEqual([1, `Port ${port} on 127.0.0.1 is already in use`])
  })
})

describe('the Node edge and the hosts of images', () => {
  it('refuses one that is not allowed', async () => {
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'a' },
      Date.now(),
    )
    const settings = {
      apiKey: 'a-key-that-nobody-guesses',
      backendUrl: 'https://localhost:1',
      certificates,
    }
    const edge = await startNodeEdge(settings, { IMAGE_HOSTS_ALLOWED: 'images.example.com' })
    const response = await fetch(`${edge.url}/generate/image_url`, {
      method: 'POST',
      headers: { 'x-api-key': 'a-key-that-nobody-guesses', 'content-type': 'application/json' },
      body: '{"prompt":"Hi","image_url":"https://other.example.com/a"}',
    })
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('this server does not fetch from its host'),
    ])
    await edge.stop()
  })
})

describe('the Node edge behind a proxy on its machine', () => {
  const start = async (environment: Record<string, string>) => {
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    const apiKey = 'a-key-that-nobody-guesses'
    const settings = { apiKey, backendUrl: 'https://localhost:1', certificates }
    const edge = await startNodeEdge(settings, environment)
    onTestFinished(() => edge.stop())
    const ask = async (key: string, forwardedFor: string) => {
      const headers = { 'x-api-key': key, 'x-forwarded-for': forwardedFor }
      const response = await fetch(`${edge.url}/admin/keys`, { headers })
      await response.text()
      return response.status
    }
    return { edge, ask, apiKey }
  }

  it('brakes and logs the real address, at LOG_LEVEL=warn too', async () => {
    const { edge, ask, apiKey } = await start({ TRUSTED_PROXIES: '127.0.0.1', LOG_LEVEL: 'warn' })
    for (let attempt = 0; attempt < 100; attempt += 1) await ask('wrong', '1.1.1.1, 192.0.2.1')
    expect(await ask('wrong', '192.0.2.1')).toBe(429)
    expect(await ask(apiKey, '192.0.2.1')).toBe(200)
    expect(await ask('wrong', '192.0.2.2')).toBe(401)
    const line = /"msg":"audit"/
    await expect
      .poll(
        () =>
          edge
            .output()
            .split('\n')
            .filter((text) => line.test(text)).length,
      )
      .toBe(102)
    expect(edge.output()).toContain('"address":"192.0.2.1"')
    expect(edge.output()).not.toContain('1.1.1.1')
  })

  it('holds real addresses to ADDRESS_LIMIT, and itself to none', async () => {
    const { ask, apiKey } = await start({ TRUSTED_PROXIES: '127.0.0.1', ADDRESS_LIMIT: '3' })
    const statuses = await Promise.all(Array.from({ length: 5 }, () => ask(apiKey, '192.0.2.1')))
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429, 429])
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await ask(apiKey, '')).toBe(200)
  })

  it('believes no header of anybody else', async () => {
    const { edge, ask } = await start({ TRUSTED_PROXIES: '10.0.0.0/8' })
    await ask('wrong', '192.0.2.1')
    await expect.poll(() => edge.output()).toContain('"address":"127.0.0.1"')
    expect(edge.output()).not.toContain('192.0.2.1')
  })
})

describe('the Node edge and its log', () => {
  it.runIf(process.platform === 'linux')(
    'serves and ends as ever when its log is on a full disk',
    async () => {
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      const settings = {
        apiKey: 'a-key-that-nobody-guesses',
        backendUrl: 'https://localhost:1',
        certificates,
      }
      const full = openSync('/dev/full', 'w')
      const edge = await startNodeEdge(settings, {}, full)
      for (let count = 0; count < 20; count++) {
        const response = await fetch(`${edge.url}/nowhere`, {
          headers: { 'x-api-key': 'a-key-that-nobody-guesses' },
        })
        expect(response.status).toBe(404)
        await response.arrayBuffer()
      }
      await edge.stop()
      closeSync(full)
    },
  )
})

describe('the Node edge and the end of certificates', () => {
  it('warns in time', async () => {
    const dayMs = 86_400_000
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now() - 370.5 * dayMs)
    const settings = {
      apiKey: 'a-key-that-nobody-guesses',
      backendUrl: 'https://localhost:1',
      certificates,
    }
    const edge = await startNodeEdge(settings)
    for (const certificate of ['client', 'authority']) {
      const warning = new RegExp(`"level":"warn".*"${certificate}".*"days_left":19,.*expires soon`)
      await expect.poll(() => edge.output()).toMatch(warning)
    }
    await edge.stop()
  })
})

describe('the Node edge on SIGHUP', () => {
  it('reads its certificates again, and goes on', async () => {
    const names = { server: ['localhost'], client: 'edge' }
    const [first, second] = [
      await createCertificates(names, Date.now()),
      await createCertificates(names, Date.now()),
    ]
    const backends = [await RecordingBackend.start(first), await RecordingBackend.start(second)]
    const [before, after] = backends.map(({ url }) => url) as [string, string]
    const settings = {
      apiKey: 'a-key-that-nobody-guesses',
      backendUrl: before,
      certificates: first,
    }
    const edge = await startNodeEdge(settings, { BACKEND_URL: '', BACKENDS: `${before},${after}` })
    try {
      await edge.renew(second)
      await expect
        .poll(() => edge.output(), { timeout: 10_000 })
        .toContain('client certificate replaced')
      // The same as the backend's, because people read both logs together.
      expect(edge.output()).toMatch(/^\{"level":"info","time":"\d{4}-[-T:.\d]+Z",/m)
      const response = await fetch(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: { 'x-api-key': 'a-key-that-nobody-guesses', 'content-type': 'application/json' },
        body: '{"prompt":"Hi"}',
      })
      // Only the second backend trusts the new certificate.
      expect([response.status, backends.map(({ seen }) => seen.length > 0)]).toEqual([
        200,
        [false, true],
      ])
    } finally {
      await edge.stop()
      await Promise.all(backends.map((backend) => backend.close()))
    }
  })
})

async function runToEnd(
  environment: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = fork(programs.nodeEdge, { env: environment, silent: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
