import { type Request, Response as WorkerdResponse } from 'miniflare'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import type { ErrorBody } from '../../shared/api/errors.ts'
import { RecordingBackend } from '../support/backends/recording-backend.ts'
import { parseForm } from '../support/form.ts'
import { describeEdge, type RunningEdge } from '../support/suites/edge-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeEdge('Worker', (settings) => startWorkerd(settings))

describe('the Worker edge', () => {
  const settings = { apiKey: 'a-key-that-nobody-guesses', backendUrl: '' }
  let backend: RecordingBackend
  let edge: RunningEdge
  let requested: { url: string; headers: Record<string, string> }[]

  beforeAll(async () => {
    const names = { server: ['localhost'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    const png = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    requested = []
    backend = await RecordingBackend.start(certificates)
    const internet = (request: Request) => {
      requested.push({ url: request.url, headers: Object.fromEntries(request.headers) })
      if (request.url.endsWith('/moved')) {
        return new WorkerdResponse(null, { status: 302, headers: { location: 'http://10.0.0.1/' } })
      }
      return new WorkerdResponse(png, { headers: { 'set-cookie': 'a=b' } })
    }
    const all = { ...settings, backendUrl: backend.url, certificates }
    edge = await startWorkerd(all, {
      internet,
      vars: { IMAGE_HOSTS_DENIED: '*.denied.example.com' },
    })
  })
  afterAll(async () => {
    await edge.stop()
    await backend.close()
  })

  const describeUrls = (urls: string | readonly string[]) =>
    fetch(`${edge.url}/generate/image_url`, {
      method: 'POST',
      headers: { 'x-api-key': 'a-key-that-nobody-guesses', 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'What is it?', image_url: urls, seed: 3 }),
    })

  it('POST /generate/image_url fetches the images and uploads them to the backend', async () => {
    const urls = ['https://images.example.com/a', 'https://images.example.com/b']
    const response = await describeUrls(urls)
    expect(response.status).toBe(200)
    expect(requested.map(({ url }) => url).toSorted()).toEqual(urls)
    expect(requested[0]?.headers['accept-encoding']).toBe('identity')
    expect(JSON.stringify(requested)).not.toContain('a-key-that-nobody-guesses')

    const seen = await backend.lastSeen()
    expect(seen.path).toBe('/generate/image')
    const body = await seen.body
    expect(seen.headers['content-length']).toBe(String(body.length))
    const form = await parseForm(body, seen.headers['content-type'])
    expect(form.get('prompt')).toBe('What is it?')
    expect(form.get('seed')).toBe('3')
    expect(form.getAll('images').map((file) => (file as File).type)).toEqual([
      'image/png',
      'image/png',
    ])
  })

  it('POST /generate/image_url does not follow a redirect into a private network', async () => {
    requested.length = 0
    const response = await describeUrls('https://images.example.com/moved')
    const { error } = (await response.json()) as ErrorBody
    expect([response.status, error.code]).toEqual([400, 'image_url_refused'])
    expect(requested).toHaveLength(1)
  })

  it('POST /generate/image_url asks no host that is denied', async () => {
    requested.length = 0
    const response = await describeUrls('https://images.denied.example.com/a')
    const { error } = (await response.json()) as ErrorBody
    expect([response.status, error.code]).toEqual([400, 'image_url_refused'])
    expect(error.message).toContain('this server does not fetch from its host')
    expect(requested).toEqual([])
  })

  it('answers a typed error and names the bad setting in the log', async () => {
    const certificates = await createCertificates(
      { server: ['localhost'], client: 'a' },
      Date.now(),
    )
    const weak = { apiKey: 'swordfish', backendUrl: 'http://plain', certificates }
    const vars = { REVOCATION_CUTS_STREAMS: 'maybe', DEADLINE_MS: '1e6' }
    const broken = await startWorkerd(weak, { vars })
    const response = await fetch(`${broken.url}/health`)
    const { error } = (await response.json()) as ErrorBody
    expect([response.status, error.code]).toEqual([500, 'internal'])
    const names = 'BACKEND_URL, API_KEY, REVOCATION_CUTS_STREAMS, DEADLINE_MS'
    await expect.poll(() => broken.output()).toContain(names)
    expect(broken.output()).toContain('openssl rand -hex 24')
    expect(broken.output()).not.toContain('swordfish')
    await broken.stop()
  })
})
