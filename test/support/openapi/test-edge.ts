import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { createEdgeApp } from '../../../edge/app.ts'
import { BackendPool } from '../../../edge/backends/pool.ts'
import { BackendClient } from '../../../edge/node/backend-client.ts'
import { createHttpServer } from '../../../edge/node/http-server.ts'
import type { Platform } from '../../../edge/platform.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { testPlatform, type TestPlatformParts } from '../edges/test-platform.ts'

interface TestEdge {
  readonly url: string
  /** Replaces parts of the platform from the next request on, and all earlier replacements. */
  change(parts: Partial<Platform>): void
  stop(): void
}

/** An edge on Node in this process, in front of a backend. */
export async function startTestEdge(
  { url, certificates }: { readonly url: string; readonly certificates: CertificateSet },
  parts: TestPlatformParts,
): Promise<TestEdge> {
  const { ca, client: cert, clientKey: key } = certificates
  const target = new BackendClient({ ca, cert, key }, 16).target(url)
  const now = () => performance.now()
  const pool = new BackendPool({ targets: [target], now, random: Math.random, deadlineMs: 60_000 })
  const platform = testPlatform({ pool: pool.call, now, clock: { ms: Date.now() }, ...parts })
  let app = createEdgeApp(platform)
  const server = createHttpServer(
    { fetch: (request, env) => app.fetch(request, env) },
    () => undefined,
    {
      headersTimeout: 1_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 100,
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change(changed) {
      app = createEdgeApp({ ...platform, ...changed })
    },
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
