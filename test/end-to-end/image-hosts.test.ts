import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../../shared/api/errors.ts'
import type { GenerateAnswer } from '../../shared/api/events.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { dayMs } from '../../shared/time/day.ts'
import { everyAddressHere, hasPublicNetwork, networkOf } from '../support/network/public-network.ts'
import { eventually } from './eventually.ts'
import { openFilesOf } from './processes.ts'
import { endLaunch, startProduct, type Product } from './product.ts'

/** Hosts of pictures at public addresses, by what is wrong with them. */
const hosts = {
  good: '93.184.216.34',
  expired: '93.184.216.35',
  anotherName: '93.184.216.36',
  unknownAuthority: '93.184.216.37',
  silent: '93.184.216.38',
  earlyHints: '93.184.216.39',
  unaskedContinue: '93.184.216.40',
} as const

const edges = ['worker', 'node'] as const
const ways = ['edge', 'backend'] as const
type Edge = (typeof edges)[number]
type Way = (typeof ways)[number]

/** Prints a line for each request that arrives. The hosts with certificates are HTTPS servers, the others are HTTP. */
const servers = (folder: string) => `
  const { readFileSync } = require('node:fs')
  const picture = readFileSync('test/golden/images/g01.png')
  const head = 'HTTP/1.1 200 OK\\r\\ncontent-type: image/png\\r\\ncontent-length: ' + picture.length + '\\r\\n\\r\\n'
  const hosts = ${JSON.stringify(hosts)}
  const pem = (name) => readFileSync(${JSON.stringify(folder)} + '/' + name)
  let left = Object.keys(hosts).length
  const listening = () => { if (--left === 0) console.log('listening') }
  for (const name of ['good', 'expired', 'anotherName', 'unknownAuthority']) {
    require('node:https').createServer({ cert: pem(name + '.pem'), key: pem(name + '-key.pem') }, (request, response) => {
      console.log('asked ' + name); response.end(picture)
    }).listen(443, hosts[name], listening)
  }
  const raw = (name, answer) => require('node:net').createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => { console.log('asked ' + name); answer(socket) })
  }).listen(80, hosts[name], listening)
  raw('silent', () => {})
  raw('earlyHints', (socket) => { socket.write('HTTP/1.1 103 Early Hints\\r\\nlink: </a.css>\\r\\n\\r\\n'); socket.write(head); socket.end(picture) })
  raw('unaskedContinue', (socket) => { socket.write('HTTP/1.1 100 Continue\\r\\n\\r\\n'); socket.write(head); socket.end(picture) })`

/** Asks for many pictures behind URLs, and for texts meanwhile; prints what came as JSON. */
const asker = (urls: readonly string[], texts: number, target: Target) => `
  import { readFileSync } from 'node:fs'
  import { Agent, fetch } from 'undici'
  const pem = (name) => readFileSync(${JSON.stringify(target.certs)} + '/' + name + '.pem')
  const dispatcher = new Agent(${target.isMutual} ? { connect: { ca: pem('ca'), cert: pem('client'), key: pem('client-key') } } : {})
  const headers = { 'content-type': 'application/json', 'x-api-key': ${JSON.stringify(target.apiKey)} }
  const post = async (path, fields) => {
    const begun = performance.now()
    const answer = await fetch('${target.url}' + path, { method: 'POST', headers, dispatcher, body: JSON.stringify(fields) })
    return { status: answer.status, body: await answer.json(), ms: performance.now() - begun }
  }
  const pictures = Promise.all(${JSON.stringify(urls)}.map((image_url) => post('/generate/image_url', { prompt: 'Describe this image.', temperature: 0, image_url })))
  const texts = []
  for (let count = 0; count < ${texts}; count++) texts.push(await post('/generate/text', { prompt: 'Hello!', max_tokens: 3 }))
  const textsDone = performance.now()
  const answers = await pictures
  console.log(JSON.stringify({ pictures: answers, texts, waitedMs: performance.now() - textsDone }))`

interface Target {
  readonly url: string
  readonly isMutual: boolean
  readonly apiKey: string
  readonly certs: string
}

interface Answered {
  readonly status: number
  readonly body: GenerateAnswer & ErrorBody
}

describe.skipIf(!hasPublicNetwork())('hosts of pictures', () => {
  let folder: string
  let holder: ChildProcess
  let products: Readonly<Record<Edge, Product>>
  let seen = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-hosts-'))
    const cas = []
    for (const [name, address, issued] of [
      ['good', hosts.good, Date.now()],
      ['expired', hosts.expired, Date.now() - 5_000 * dayMs],
      ['anotherName', '93.184.216.99', Date.now()],
      ['unknownAuthority', hosts.unknownAuthority, Date.now()],
    ] as const) {
      const made = await createCertificates({ server: [address], client: 'nobody' }, issued)
      await writeFile(join(folder, `${name}.pem`), made.server)
      await writeFile(join(folder, `${name}-key.pem`), made.serverKey)
      if (name !== 'unknownAuthority') cas.push(made.ca)
    }
    const trusted = join(folder, 'trusted.pem')
    await writeFile(trusted, cas.join(''))
    const program = [process.execPath, '-e', servers(folder)]
    holder = spawn(everyAddressHere[0]!, [...everyAddressHere.slice(1), ...program])
    holder.stdout!.setEncoding('utf8').on('data', (text: string) => (seen += text))
    await eventually(() => seen.includes('listening'))
    const start = (EDGE: Edge) =>
      startProduct({ EDGE, NODE_EXTRA_CA_CERTS: trusted }, ['nsenter', ...networkOf(holder.pid!)])
    const [worker, node] = await Promise.all([start('worker'), start('node')])
    products = { worker, node }
  })
  afterAll(async () => {
    holder.kill()
    await Promise.all(Object.values(products).map(endLaunch))
    await rm(folder, { recursive: true })
  })
  beforeEach(() => {
    seen = ''
  })

  /** Runs `asker` in the network of the products. */
  async function ask(edge: Edge, way: Way, urls: readonly string[], texts = 0) {
    const product = products[edge]
    const script = asker(urls, texts, {
      url: way === 'edge' ? product.url : product.backendUrl,
      isMutual: way === 'backend',
      apiKey: product.apiKey,
      certs: join(product.stateDir, 'certs'),
    })
    const prefix = networkOf(holder.pid!)
    const program = [process.execPath, '--input-type=module', '-e', script]
    const child = spawn('nsenter', [...prefix, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
    await once(child, 'close')
    return JSON.parse(printed) as {
      pictures: Answered[]
      texts: Answered[]
      /** Milliseconds from the last text to the last picture. */
      waitedMs: number
    }
  }

  describe.each(edges)('EDGE=%s', (edge) => {
    describe.each(ways)('through the %s', (way) => {
      // workerd knows the authorities of browsers only, so no certificate of a test is good there.
      it.skipIf(edge === 'worker' && way === 'edge')(
        'takes a picture of a host it can trust',
        async () => {
          const { pictures } = await ask(edge, way, [`https://${hosts.good}/a.png`])
          expect(pictures[0]).toMatchObject({ status: 200, body: { finish_reason: 'stop' } })
        },
      )

      it.each(['expired', 'anotherName', 'unknownAuthority'] as const)(
        'asks nothing of a host with a certificate that is no good: %s',
        async (name) => {
          const { pictures } = await ask(edge, way, [`https://${hosts[name]}/a.png`])
          expect(pictures[0]).toMatchObject({
            status: 422,
            body: {
              error: {
                code: 'image_fetch_failed',
                message: 'Cannot fetch the image: its server cannot be reached',
              },
            },
          })
          expect(seen).toBe('')
        },
      )

      it.each(['earlyHints', 'unaskedContinue'] as const)(
        'reads what comes after an informational answer, or refuses it: %s',
        async (name) => {
          const { pictures } = await ask(edge, way, [`http://${hosts[name]}/a.png`])
          const { status, body } = pictures[0]!
          const outcome = status === 200 ? body.output : `${status} ${body.error.code}`
          expect(outcome).toMatch(/^(A large red circle .*|422 image_fetch_failed)$/)
          expect(seen).toBe(`asked ${name}\n`)
        },
      )
    })
  })

  // All at once, since the product waits for ten seconds.
  it('that are silent are given up, and others are answered meanwhile', async () => {
    const openFiles = (edge: Edge) =>
      products[edge].processes().reduce((sum, one) => sum + openFilesOf(one), 0)
    const before = edges.map(openFiles)
    const silent = Array.from({ length: 60 }, () => `http://${hosts.silent}/a.png`)
    const asked = edges.flatMap((edge) => ways.map((way) => ask(edge, way, silent, 10)))
    for (const { pictures, texts, waitedMs } of await Promise.all(asked)) {
      expect(texts.map(({ status }) => status)).toEqual(texts.map(() => 200))
      expect(waitedMs).toBeGreaterThan(0)
      expect(new Set(pictures.map(({ status, body }) => `${status} ${body.error.code}`))).toEqual(
        new Set(['504 image_fetch_timeout']),
      )
    }
    for (const [index, edge] of edges.entries()) {
      await expect
        .poll(() => openFiles(edge), { timeout: 30_000 })
        .toBeLessThanOrEqual(before[index]! + 20)
    }
  })
})
