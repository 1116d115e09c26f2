import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LogLine } from '../../log/log-line.ts'
import { ConnectionShare } from './connection-share.ts'
import { shareConnections } from './share-connections.ts'

const most = 40

/** More than the system holds for a client that reads nothing. */
const large = Buffer.alloc(32 * 2 ** 20)

let server: Server
let share: ConnectionShare<Socket>
let lines: LogLine[]
let sockets: Socket[]
/** Answers to `/held`, which wait until the test ends them. */
let held: ServerResponse[]
beforeEach(async () => {
  lines = []
  sockets = []
  held = []
  share = new ConnectionShare<Socket>(most)
  server = createServer((incoming, outgoing) => {
    if (incoming.url === '/held') held.push(outgoing)
    else if (incoming.url === '/large') outgoing.end(large)
    else outgoing.end('served')
  })
  // The system calls all of 127.0.0.0/8 this machine; here each is a client of its own.
  shareConnections(server, {
    share,
    standingOf: (address) => (address === '127.0.0.2' ? 'client' : 'many'),
    log: (line) => lines.push(line),
    now: () => 0,
    takeMs: 200,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

/** A connection from an address of this machine; `heard` is what it is answered. */
async function open(localAddress: string) {
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  sockets.push(socket)
  const heard = { text: '', ended: false }
  socket.setEncoding('utf8').on('data', (text) => (heard.text += String(text)))
  socket.on('error', () => undefined)
  socket.on('close', () => (heard.ended = true))
  await once(socket, 'connect')
  const stopReading = () => socket.pause()
  const send = (text: string) => socket.write(text)
  const ask = (path: string) => send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  return { heard, send, ask, stopReading }
}

function connectionsOf(of: Server): Promise<number> {
  return new Promise((resolve) => of.getConnections((_error, count) => resolve(count)))
}

async function openMany(localAddress: string, count: number) {
  const opened = []
  for (let index = 0; index < count; index += 1) opened.push(await open(localAddress))
  return opened
}

const messages = () => lines.map(({ message, address }) => [message, address])

describe('shareConnections()', () => {
  it('serves others while one address opens more connections than there are', async () => {
    const flood = await openMany('127.0.0.3', 3 * most)
    const other = await open('127.0.0.1')
    other.ask('/')
    await expect.poll(() => other.heard.text).toMatch(/ 200 OK[^]*served$/)
    await expect.poll(() => flood.filter(({ heard }) => !heard.ended).length).toBeLessThan(most)
    expect(other.heard.ended).toBe(false)
    expect(messages()).toEqual([['idle connection closed for a new one: 40 are open', '127.0.0.3']])
  })

  it('closes no connection with a request, and refuses where all have one', async () => {
    const busy = await openMany('127.0.0.3', most)
    for (const { ask } of busy) ask('/held')
    await expect.poll(() => held.length).toBe(most)
    const refused = await openMany('127.0.0.1', 3)
    await expect.poll(() => refused.every(({ heard }) => heard.ended)).toBe(true)
    expect(messages()).toEqual([['connection refused: 40 are open already', '127.0.0.1']])
    for (const outgoing of held) outgoing.end('at last')
    await expect.poll(() => busy.every(({ heard }) => heard.text.endsWith('at last'))).toBe(true)
    // Idle again: they give way.
    const other = await open('127.0.0.1')
    other.ask('/')
    await expect.poll(() => other.heard.text).toMatch(/served$/)
    expect(share.counts).toMatchObject({ refused: 3, displaced: 1 })
  })

  it('closes those of clients that do not take their answers', async () => {
    const lazy = await openMany('127.0.0.3', most)
    for (const { ask, stopReading } of lazy) {
      stopReading()
      ask('/large')
    }
    await expect
      .poll(
        async () => {
          const other = await open('127.0.0.1')
          other.ask('/')
          await expect.poll(() => other.heard.ended || other.heard.text !== '').toBe(true)
          return other.heard.text
        },
        { timeout: 20_000 },
      )
      .toMatch(/served$/)
  })

  it('holds one client to its share', async () => {
    const own = await openMany('127.0.0.2', share.mostOfOne + 5)
    await expect.poll(() => own.filter(({ heard }) => heard.ended).length).toBe(5)
    expect(messages()).toEqual([
      ['idle connection closed for a new one: 10 of its address are open', '127.0.0.2'],
    ])
  })

  it('leaves the answer to an unknown expectation to Node, as without it', async () => {
    const { heard, send } = await open('127.0.0.1')
    send('GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n')
    await expect.poll(() => heard.text).toMatch(/^HTTP\/1\.1 417 /)
  })

  it('forgets connections that their clients close', async () => {
    await openMany('127.0.0.3', 5)
    await expect.poll(() => share.counts.open).toBe(5)
    for (const socket of sockets) socket.end()
    await expect.poll(() => share.counts.open).toBe(0)
  })

  it('forgets a thousand clients that leave at any moment, in good order or not', async () => {
    const upload = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'
    const moments: ((client: Awaited<ReturnType<typeof open>>) => void)[] = [
      () => undefined,
      ({ send }) => send('GET / HT'),
      ({ send }) => send(upload),
      ({ ask }) => ask('/held'),
      ({ ask }) => ask('/large'),
    ]
    for (let index = 0; index < 1_000; index += 1) {
      moments[index % moments.length]!(await open('127.0.0.3'))
      const socket = sockets.pop()!
      if (index % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
    await expect.poll(() => share.counts.open).toBe(0)
    await expect.poll(() => connectionsOf(server)).toBe(0)
    const other = await open('127.0.0.1')
    other.ask('/')
    await expect.poll(() => other.heard.text).toMatch(/served$/)
  })
})
