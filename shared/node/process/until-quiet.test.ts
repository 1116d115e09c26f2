import { once } from 'node:events'
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeAfterAnswers, untilQuiet } from './until-quiet.ts'

let server: Server
let port: number
let agent: Agent
beforeEach(async () => {
  server = createServer((_incoming, outgoing) => outgoing.end('told'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  agent = new Agent({ keepAlive: true, maxSockets: 1 })
})
afterEach(async () => {
  agent.destroy()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const begin = () => {
  const call = request({ port, agent })
  call.end()
  return call
}
const ask = async () => {
  const [response] = (await once(begin(), 'response')) as [IncomingMessage]
  return { connection: response.headers.connection, body: await text(response) }
}

/** Keeps this process, and with it the server, from running. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('a server that stops', () => {
  it('is quiet at once when nobody is connected', async () => {
    await expect(untilQuiet(server)).resolves.toBeUndefined()
  })

  it('waits while somebody asks, and no longer', async () => {
    await ask()
    let isQuiet = false
    const quiet = untilQuiet(server).then(() => (isQuiet = true))
    for (let count = 0; count < 8; count++) {
      await delay(100)
      expect(isQuiet).toBe(false)
      await ask()
    }
    await quiet
  })

  it('lets nobody in meanwhile, and nobody down who is in', async () => {
    await ask()
    const isQuiet = untilQuiet(server)
    const [refused] = (await once(request({ port, agent: false }).end(), 'error')) as [
      NodeJS.ErrnoException,
    ]
    expect(refused.code).toBe('ECONNREFUSED')
    expect((await ask()).body).toBe('told')
    await isQuiet
  })

  it('ends the wait when it is in a hurry', async () => {
    await ask()
    await expect(untilQuiet(server, AbortSignal.abort())).resolves.toBeUndefined()
  })

  it('reads what arrived while it did not run before it is quiet', async () => {
    await ask()
    let asked = 0
    server.on('request', () => (asked += 1))
    const quiet = untilQuiet(server)
    await delay(150)
    begin().on('error', () => undefined)
    block(1_000)
    await quiet
    expect(asked).toBe(1)
  })

  it('announces to its clients that each answer is the last on its connection', async () => {
    expect((await ask()).connection).toBe('keep-alive')
    closeAfterAnswers(server)
    expect(await ask()).toEqual({ connection: 'close', body: 'told' })
  })
})
