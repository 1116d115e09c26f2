import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { KeyView } from '../../shared/api/administration/keys.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import { describeKeys } from '../support/suites/key-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeKeys('Node', (settings, stateFolder, vars) =>
  startNodeEdge(settings, { STATE_DIR: stateFolder, TRUSTED_PROXIES: '127.0.0.1', ...vars }),
)

describe('several edges on Node', () => {
  it('refuse a key the moment one of them has revoked it', async () => {
    const stateFolder = await mkdtemp(join(tmpdir(), 'edge-shared-'))
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    const backend = await RecordingBackend.start(certificates)
    const settings = { apiKey: 'root-key-nobody-guesses-1', backendUrl: backend.url, certificates }
    const start = () => startNodeEdge(settings, { STATE_DIR: stateFolder })
    const edges = await Promise.all([start(), start()])
    onTestFinished(async () => {
      await Promise.all(edges.map((edge) => edge.stop()))
      await backend.close()
      await rm(stateFolder, { recursive: true })
    })
    const [first, second] = edges
    const asAdmin = (path: string) =>
      fetch(`${first.url}/admin/keys${path}`, {
        method: 'POST',
        headers: { 'x-api-key': 'root-key-nobody-guesses-1', 'content-type': 'application/json' },
        body: '{}',
      })
    const { id, key } = (await (await asAdmin('')).json()) as KeyView & { key: string }
    const ask = () =>
      fetch(`${second.url}/generate/text`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: '{"prompt":"Hi"}',
      })
    expect((await ask()).status).toBe(200)
    await asAdmin(`/${id}/revoke`)
    expect((await ask()).status).toBe(401)
  })
})
