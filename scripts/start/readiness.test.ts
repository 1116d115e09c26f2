import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { proveReadiness } from './readiness.ts'
import { StartError } from './start-error.ts'

const { signal } = new AbortController()

/** An edge that answers every request with text, and says so often that it is not ready. */
async function startEdge(unready: number): Promise<{ url: string; left: () => number }> {
  let left = unready
  const server = createServer((request, response) => {
    request.resume()
    if (request.method === 'POST') response.end('{"output":"A picture."}')
    else if (left === 0) response.end('{"status":"ready"}')
    else {
      left -= 1
      response.writeHead(503).end('{"status":"not_ready"}')
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, left: () => left }
}

it('asks an edge again that is not ready at first', async () => {
  const { url, left } = await startEdge(2)
  await proveReadiness(url, 'key', signal)
  expect(left()).toBe(0)
})

it('fails with what an edge says that does not become ready', async () => {
  const { url } = await startEdge(Infinity)
  const problem = new StartError(
    'The edge answers requests but is not ready: {"status":"not_ready"}',
  )
  await expect(proveReadiness(url, 'key', signal, 0)).rejects.toThrow(problem)
})
