import { Hono } from 'hono'
import { Agent, fetch } from 'undici'
import { describe, expect, it } from 'vitest'
import { makeCertificates } from '../../../test/support/backends/test-backend.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import { createBackendServer, listen, renewIdentity } from './server.ts'

const identityOf = ({ ca, server, serverKey }: CertificateSet) => ({
  ca,
  cert: server,
  key: serverKey,
})

describe('renewIdentity()', () => {
  it('changes whom a running server is and believes, and ends what runs as it began', async () => {
    const [before, after] = [await makeCertificates('edge'), await makeCertificates('edge')]
    let finish: (() => void) | undefined
    const app = new Hono<BackendEnv>()
      .get('/quick', (c) => c.text('quick'))
      .get('/slow', async (c) => {
        await new Promise<void>((resolve) => {
          finish = resolve
        })
        return c.text('slow')
      })
    const server = createBackendServer(app, identityOf(before))
    const port = await listen(server, 0, '127.0.0.1')
    const agents: Agent[] = []
    const ask = async (path: string, { ca, client, clientKey }: CertificateSet) => {
      const dispatcher = new Agent({ connect: { ca, cert: client, key: clientKey } })
      agents.push(dispatcher)
      return (await fetch(`https://localhost:${port}${path}`, { dispatcher })).text()
    }
    expect(await ask('/quick', before)).toBe('quick')
    const running = ask('/slow', before)
    await expect.poll(() => finish).toBeDefined()

    renewIdentity(server, identityOf(after))
    expect(await ask('/quick', after)).toBe('quick')
    await expect(ask('/quick', before)).rejects.toThrow('fetch failed')
    await expect(ask('/quick', { ...before, ca: after.ca })).rejects.toThrow('fetch failed')
    finish?.()
    expect(await running).toBe('slow')

    await Promise.all(agents.map((agent) => agent.destroy()))
    server.close()
  })
})
