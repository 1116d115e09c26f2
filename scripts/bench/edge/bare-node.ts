import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Agent, type Dispatcher } from 'undici'
import { parseEdgeConfig } from '../../../edge/node/config.ts'
import { readIdentity } from '../../../shared/node/certificates/read-identity.ts'

// The lower bound for an edge on Node: it passes requests and answers on and does nothing else.

const config = parseEdgeConfig(process.env)
const agent = new Agent({ connect: await readIdentity(config.tlsFiles) })
const origin = config.backendUrls[0]!

const server = createServer((request, response) => {
  passOn(request, response).catch(() => response.destroy())
})
server.listen(config.port, config.host)
process.on('disconnect', () => process.exit(0))

async function passOn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { 'content-type': type, 'content-length': length } = request.headers
  const hasBody = length !== undefined || request.headers['transfer-encoding'] !== undefined
  const { statusCode, headers, body } = await agent.request({
    origin,
    path: request.url!,
    method: request.method as Dispatcher.HttpMethod,
    headers: { 'content-type': type, 'content-length': length },
    body: hasBody ? request : null,
  })
  response.writeHead(statusCode, { 'content-type': String(headers['content-type']) })
  await pipeline(body, response)
}
