import { Agent, request } from 'undici'
import { describe, expect, it } from 'vitest'
import type { IssuedKeyView } from '../../shared/api/administration/keys.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import { describeLimits } from '../support/suites/limit-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeLimits('Worker', (settings) => startWorkerd(settings))

describe('limits across isolates', () => {
  it('gives a place back before the answer that held it has been read', async () => {
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    const backend = await RecordingBackend.start(certificates)
    const settings = { apiKey: 'root-key-nobody-guesses-1', backendUrl: backend.url, certificates }
    const edge = await startWorkerd(settings, { isolates: 3 })
    const client = new Agent()
    const post = (isolate: number, path: string, key: string, body: unknown) =>
      request(edge.urls[isolate]! + path, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        dispatcher: client,
      })
    const limits = { concurrent_requests: 2 }
    const made = await post(0, '/admin/keys', 'root-key-nobody-guesses-1', { limits })
    const { key } = (await made.body.json()) as IssuedKeyView
    const call = async (isolate: number) => {
      const { statusCode, body } = await post(isolate, '/generate/text', key, { prompt: 'Hi' })
      await body.dump()
      return statusCode
    }
    for (let round = 0; round < 40; round += 1) {
      expect(await call(0)).toBe(200)
      expect(await Promise.all([call(1), call(2)])).toEqual([200, 200])
    }
    await client.close()
    await edge.stop()
    await backend.close()
  })
})
