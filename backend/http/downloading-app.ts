import { Hono } from 'hono'
import { ServiceError } from '../../shared/api/errors.ts'
import type { BackendParts } from './app.ts'
import { requireClientCertificate } from './exchange/client-certificate.ts'
import type { BackendEnv } from './exchange/exchange.ts'
import { logExchange } from './exchange/log-exchange.ts'
import { refusal } from './exchange/refusal.ts'
import { trackExchange } from './exchange/track-exchange.ts'
import { mountProbes, type ProbeParts } from './routes/health-route.ts'

interface DownloadingParts extends Pick<
  BackendParts,
  'running' | 'log' | 'now' | 'allowedClients' | 'onClientCertificate'
> {
  readonly probes: ProbeParts
}

/** What the backend answers while its model is downloaded: probes, and `model_loading` to everything else. */
export function createDownloadingApp(parts: DownloadingParts): Hono<BackendEnv> {
  const app = new Hono<BackendEnv>()
  app.use(trackExchange(parts.running))
  app.use(logExchange(parts.log, parts.now))
  app.use(requireClientCertificate(parts.allowedClients, parts.onClientCertificate))
  mountProbes(app, parts.probes)
  app.notFound(() => {
    throw new ServiceError('model_loading', 'The model is still being downloaded')
  })
  app.onError((thrown, c) => {
    const exchange = c.get('exchange')
    return refusal(exchange.noteFailure(thrown), exchange.requestId, c.req.path)
  })
  return app
}
