import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { answerJson, RecordingBackend } from '../backends/recording-backend.ts'

type StartEdge = (settings: EdgeSettings, variables: Record<string, string>) => Promise<RunningEdge>

const apiKey = 'cors-key-3f9d0c7a51b2e6aa'
const page = 'https://app.example.com'

/** What pages of other origins, and tools that read the API's description, find wherever the edge runs. */
export function describeCors(platform: string, start: StartEdge): void {
  describe(`other origins on ${platform}`, () => {
    let backend: RecordingBackend
    let edge: RunningEdge
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      const settings = { apiKey, backendUrl: backend.url, certificates }
      edge = await start(settings, { CORS_ORIGINS: `http://localhost:5173, ${page}` })
    })
    afterAll(async () => {
      await edge.stop()
      await backend.close()
    })

    it('may ask first, and then read the answer', async () => {
      const preflight = await fetch(`${edge.url}/generate/text`, {
        method: 'OPTIONS',
        headers: {
          origin: page,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,x-api-key',
        },
      })
      expect([preflight.status, await preflight.text()]).toEqual([204, ''])
      expect(preflight.headers.get('access-control-allow-origin')).toBe(page)
      expect(preflight.headers.get('access-control-allow-methods')).toBe('POST, OPTIONS')
      expect(preflight.headers.get('access-control-allow-headers')).toContain('x-api-key')
      expect(preflight.headers.get('vary')).toContain('Origin')

      backend.answer = answerJson(200, { output: 'A cat.' })
      const response = await fetch(`${edge.url}/generate/text`, {
        method: 'POST',
        headers: { origin: page, 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: '{"prompt":"Hello"}',
      })
      expect([response.status, await response.json()]).toEqual([200, { output: 'A cat.' }])
      expect(response.headers.get('access-control-allow-origin')).toBe(page)
      expect(response.headers.get('access-control-expose-headers')).toContain('x-request-id')
    })

    it('learn nothing when they are not on the list', async () => {
      const headers = { origin: 'https://evil.example.com' }
      const response = await fetch(`${edge.url}/livez`, { headers })
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(response.headers.get('vary')).toContain('Origin')
      await response.body?.cancel()
    })

    it('GET /openapi.json describes the API, without a key', async () => {
      const response = await fetch(`${edge.url}/openapi.json`)
      const document = (await response.json()) as { openapi: string; paths: object }
      expect([response.status, document.openapi]).toEqual([200, '3.1.0'])
      expect(Object.keys(document.paths)).toContain('/generate/image')
    })
  })
}
