import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { describe, expect, it } from 'vitest'
import { parseEdgeConfig } from '../../edge/node/config.ts'
import { maxUploadBytes } from '../../shared/api/limits.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { findFreePorts } from '../../scripts/start/port.ts'
import { eventually } from '../end-to-end/eventually.ts'

const has = (program: string, flag: string) => spawnSync(program, [flag]).error === undefined
const nginxFile = 'deploy/proxy/nginx.conf'
const caddyFile = 'deploy/proxy/Caddyfile'
const { port, deadlineMs } = parseEdgeConfig({ API_KEY: 'a-key-that-nobody-guesses' })

describe.each([nginxFile, caddyFile])('%s', (file) => {
  const text = readFileSync(file, 'utf8')

  it('leads to the edge, with its limits and more time than it takes', () => {
    expect(text).toContain(`127.0.0.1:${port}`)
    const [, megabytes] = /(?:client_max_body_size|max_size) (\d+)(?:m|MiB)/.exec(text)!
    expect(Number(megabytes) * 2 ** 20).toBeGreaterThan(maxUploadBytes)
    const timeouts = [...text.matchAll(/(\d{3})s\b/g)].map(([, seconds]) => Number(seconds))
    expect(timeouts.length).toBeGreaterThan(1)
    for (const seconds of timeouts) expect(seconds * 1_000).toBeGreaterThan(deadlineMs)
  })
})

describe.skipIf(!has('caddy', 'version'))('Caddy (skipped where it is not installed)', () => {
  it('takes its file', () => {
    const { status, stderr } = spawnSync('caddy', ['validate', '--config', caddyFile], {
      encoding: 'utf8',
    })
    expect(stderr).toContain('Valid configuration')
    expect(status).toBe(0)
  })
})

describe.skipIf(!has('nginx', '-v'))('nginx (skipped where it is not installed)', () => {
  it('takes its file, ends TLS, tells the client’s address and holds back no event', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'proxy-'))
    const requests: IncomingMessage[] = []
    const proceed = Promise.withResolvers<void>()
    const edge = createServer((incoming, response) => {
      requests.push(incoming)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: queued\ndata: {}\n\n')
      void proceed.promise.then(() => response.end('event: end\ndata: {}\n\n'))
    })
    await once(edge.listen(0, '127.0.0.1'), 'listening')
    const [listening = 0] = await findFreePorts([{ host: '127.0.0.1', port: 0, setting: 'PORT' }])
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      Date.now(),
    )
    await writeFile(join(folder, 'fullchain.pem'), certificates.server)
    await writeFile(join(folder, 'privkey.pem'), certificates.serverKey)
    const here = readFileSync(nginxFile, 'utf8')
      .replaceAll('/etc/nginx/tls', folder)
      .replace('127.0.0.1:8787', `127.0.0.1:${(edge.address() as AddressInfo).port}`)
      .replace('listen 443 ssl http2;', `listen 127.0.0.1:${listening} ssl http2;`)
      .replace(
        'http {',
        `http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;`,
      )
    const global = `pid ${folder}/pid; daemon off; error_log ${folder}/error.log;`
    await writeFile(join(folder, 'nginx.conf'), here)
    const options = ['-c', join(folder, 'nginx.conf'), '-g', global]
    const test = spawnSync('nginx', ['-t', ...options], { encoding: 'utf8' })
    expect(test.stderr).toContain('test is successful')

    const nginx = spawn('nginx', options)
    const dispatcher = new Agent({ connect: { ca: certificates.ca } })
    try {
      const url = `https://localhost:${listening}/generate/text`
      const call = { method: 'POST', body: '{"prompt":"Hi"}', dispatcher } as const
      const headers = { 'x-forwarded-for': '203.0.113.7' }
      const { body } = await eventually(() =>
        request(url, { ...call, headers }).catch(() => undefined),
      )
      const reader = body[Symbol.asyncIterator]()
      // The rest has not been written yet.
      expect(String((await reader.next()).value)).toContain('event: queued')
      proceed.resolve()
      expect(String((await reader.next()).value)).toContain('event: end')
      // The last one is the proxy's own word.
      expect(requests[0]!.headers['x-forwarded-for']).toBe('203.0.113.7, 127.0.0.1')
      const refused = await request(`https://localhost:${listening}/metrics`, { dispatcher })
      expect(refused.statusCode).toBe(404)
      await refused.body.dump()
    } finally {
      proceed.resolve()
      await dispatcher.destroy()
      nginx.kill('SIGTERM')
      await once(nginx, 'exit')
      edge.close()
      edge.closeAllConnections()
      await rm(folder, { recursive: true })
    }
  })
})
