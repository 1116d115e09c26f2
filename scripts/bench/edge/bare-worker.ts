import { Miniflare } from 'miniflare'
import { parseEdgeConfig } from '../../../edge/node/config.ts'
import { readIdentity } from '../../../shared/node/certificates/read-identity.ts'
import { backendBinding } from '../../start/backend-binding.ts'

// The lower bound for an edge in workerd: it passes requests and answers on and does nothing else.

const config = parseEdgeConfig(process.env)
const identity = await readIdentity(config.tlsFiles)

const script = `export default {
  fetch: (request, { BACKEND, ORIGIN }) => BACKEND.fetch(ORIGIN + new URL(request.url).pathname, request),
}`

const miniflare = new Miniflare({
  // Otherwise a sample of request.cf would be fetched from the internet.
  cf: false,
  workers: [
    {
      name: 'bare',
      modules: true,
      script,
      bindings: { ORIGIN: new URL(config.backendUrls[0]!).origin },
      serviceBindings: { BACKEND: backendBinding(identity) },
      unsafeDirectSockets: [{ host: config.host, port: config.port }],
    },
  ],
})
process.on('SIGTERM', () => void miniflare.dispose().then(() => process.exit(0)))
await miniflare.ready
