import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCertificates } from '../shared/node/certificates/create-certificates.ts'
import { describeEdge, type EdgeSettings, type RunningEdge } from '../test/support/edge-suite.ts'

const program = 'dist/edge/node.js'

describeEdge('Node', startNodeEdge)

describe('edge/node.ts', () => {
  it('names every setting that is missing or wrong, and ends with 1', async () => {
    const { code, output } = await runToEnd({ BACKEND_URL: 'http://plain', PORT: '99999' })
    expect(code).toBe(1)
    for (const name of ['API_KEY', 'BACKEND_URL', 'PORT']) expect(output).toContain(name)
    expect(output).not.toMatch(/ at |node_modules/)
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
      API_KEY: 'a-key',
      PORT: String(port),
      ...tlsSettings(folder),
    })
    holder.close()
    await rm(folder, { recursive: true })
    expect([code, output.trim()]).toEqual([1, `Port ${port} on 127.0.0.1 is already in use`])
  })
})

async function startNodeEdge(settings: EdgeSettings): Promise<RunningEdge> {
  const folder = await writeCertificates(settings.certificates)
  const child = fork(program, {
    env: {
      API_KEY: settings.apiKey,
      BACKEND_URL: settings.backendUrl,
      PORT: '0',
      ...tlsSettings(folder),
    },
    silent: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const ended = once(child, 'exit')
  const [message] = (await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error(`The edge ended: ${output}`))),
  ])) as [{ type: string; port: number }]
  expect(message.type).toBe('ready')
  return {
    url: `http://127.0.0.1:${message.port}`,
    output: () => output,
    async stop() {
      child.kill('SIGTERM')
      const [code] = (await ended) as [number | null]
      await rm(folder, { recursive: true })
      expect(code).toBe(0)
    },
  }
}

async function runToEnd(
  environment: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = fork(program, { env: environment, silent: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

async function writeCertificates(set: EdgeSettings['certificates']): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-'))
  await writeFile(join(folder, 'ca.pem'), set.ca)
  await writeFile(join(folder, 'client.pem'), set.client)
  await writeFile(join(folder, 'client-key.pem'), set.clientKey, { mode: 0o600 })
  return folder
}

function tlsSettings(folder: string): Record<string, string> {
  return {
    TLS_CA: join(folder, 'ca.pem'),
    TLS_CERT: join(folder, 'client.pem'),
    TLS_KEY: join(folder, 'client-key.pem'),
  }
}
