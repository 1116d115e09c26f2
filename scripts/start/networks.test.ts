import type { Readable } from 'node:stream'
import { Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { publicInternet } from './networks.ts'

const script = `export default {
  fetch: (request) => fetch(request.headers.get('to')),
}`

let said = ''
let workerd: Miniflare
beforeAll(async () => {
  workerd = new Miniflare({
    cf: false,
    handleRuntimeStdio(_stdout: Readable, stderr: Readable) {
      stderr.on('data', (chunk) => (said += String(chunk)))
    },
    modules: true,
    script,
    outboundService: publicInternet,
  })
  await workerd.ready
})
afterAll(() => workerd.dispose())

it.each(['http', 'https'])('goes out over %s, but never to this machine', async (scheme) => {
  said = ''
  const response = await workerd.dispatchFetch('http://edge/', {
    headers: { to: `${scheme}://127.0.0.1:1/` },
  })
  await response.text()
  expect(response.status).toBe(500)
  await vi.waitUntil(() => said.includes('connect() blocked by restrictPeers()'))
  expect(said).not.toContain("doesn't support HTTPS")
})
