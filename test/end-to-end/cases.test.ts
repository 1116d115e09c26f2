import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Case,
  type CaseAnswer,
  caseBody,
  caseFolder,
  expectCase,
  readCases,
} from '../support/cases.ts'
import type { RunningEdge } from '../support/suites/edge-suite.ts'
import {
  hasPublicNetwork,
  networkOf,
  publicAddress,
  publicNetwork,
} from '../support/network/public-network.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'
import { jpegOfScans } from '../support/images/jpeg-file.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'
import { endLaunch, type Product, startProduct } from './product.ts'

// Requests on which the product or servers like it once failed. Pictures behind URLs need a public address on this
// machine, and therefore Linux's unprivileged network namespaces.

const upstream = `http://${publicAddress}`
const isPublic = hasPublicNetwork()

/** How much longer than on an idle machine an answer may take here. Without the fixes these cases took far longer. */
const slowness = 10

const cases = readCases()
const ordinary = cases.filter(({ server, upstream: answers, request }) => {
  return server === undefined && answers === undefined && request.files?.[0]?.made_by === undefined
})
const behindUrls = cases.filter(({ upstream: answers }) => answers !== undefined)
const atManyBackends = cases.filter(({ server }) => server !== undefined)

const run = promisify(execFile)

describe.each(['worker', 'node'])('known cases with EDGE=%s', (edge) => {
  let product: Product
  let folder: string
  let inside: readonly string[]
  beforeAll(async () => {
    product = await startProduct({ EDGE: edge }, isPublic ? publicNetwork : [])
    folder = await mkdtemp(join(tmpdir(), 'cases-'))
    inside = isPublic ? networkOf(product.child.pid!) : []
  })
  afterAll(async () => {
    await endLaunch(product)
    await rm(folder, { recursive: true })
  })

  const send = async (tried: Case, access: readonly string[], origin: string) => {
    const { type, bytes } = await caseBody(tried, upstream)
    const file = join(folder, `${tried.id}.body`)
    await writeFile(file, bytes)
    const headers = { ...tried.request.headers, ...(type && { 'content-type': type }) }
    return await curl(inside, [
      ...access,
      ...Object.entries(headers).map(([name, value]) => `-H${name}: ${value}`),
      `-X${tried.request.method}`,
      '--data-binary',
      `@${file}`,
      origin + tried.request.path,
    ])
  }
  const throughEdge = (tried: Case) => send(tried, [`-Hx-api-key: ${product.apiKey}`], product.url)
  const toBackend = (tried: Case) => {
    const certificate = (name: string) => join(product.stateDir, 'certs', name)
    const access = ['--cacert', certificate('ca.pem'), '--cert', certificate('client.pem')]
    const key = ['--key', certificate('client-key.pem')]
    return send(tried, [...access, ...key], product.backendUrl)
  }

  it.each(ordinary)('$id: $kind', async (tried) => {
    for (const ask of [throughEdge, toBackend]) {
      const { ms, ...answer } = await ask(tried)
      expectCase(tried.expect, answer)
      expect(ms).toBeLessThan((tried.expect.max_ms ?? 30_000) * slowness)
    }
  })

  it.skipIf(!isPublic).each(behindUrls)('$id: $kind', async (tried) => {
    const pictures = await servePictures(inside, tried)
    try {
      expectCase(tried.expect, await throughEdge(tried))
      expectCase(tried.expect, await toBackend(tried))
    } finally {
      // The next one listens on the same port.
      const ended = once(pictures, 'close')
      pictures.kill()
      await ended
    }
  })

  it('a key that sends pictures of thousands of scans holds up no other key', async () => {
    const post = (...what: string[]) => curl(inside, [`-Hx-api-key: ${product.apiKey}`, ...what])
    const created = await post(
      '-Hcontent-type: application/json',
      '-d{"note":"another"}',
      `${product.url}/admin/keys`,
    )
    const { key } = JSON.parse(created.body) as { key: string }
    const hostile = join(folder, 'hostile.jpg')
    await writeFile(hostile, jpegOfScans({ side: 10_000, emptyScans: 3_000 }))
    const picture = (access: string, file: string, ...more: string[]) => {
      const form = ['-Fprompt=Describe this image.', '-Ftemperature=0', `-Fimages=@${file}`]
      return curl(inside, [access, ...form, ...more, `${product.url}/generate/image`])
    }
    const own = `-Hx-api-key: ${product.apiKey}`
    const hostiles = [1, 2].map(() =>
      picture(own, hostile, '--max-time', '3').catch(() => undefined),
    )
    const { status, ms } = await picture(`-Hx-api-key: ${key}`, 'docs/sample.png')
    await Promise.all(hostiles)
    expect(status).toBe(200)
    expect(ms).toBeLessThan(3_000 * slowness)
  })
})

describe.each(['worker', 'node'] as const)('known cases with several backends, %s', (platform) => {
  const apiKey = 'a-key-of-this-test-0123456789abcdef'
  let product: Product
  let edge: RunningEdge
  beforeAll(async () => {
    product = await startProduct({})
    const pem = (name: string) => readFile(join(product.stateDir, 'certs', name), 'utf8')
    const certificates = {
      ca: await pem('ca.pem'),
      client: await pem('client.pem'),
      clientKey: await pem('client-key.pem'),
    }
    // Two names of one backend, which an edge treats as two backends.
    const { port } = new URL(product.backendUrl)
    const backendUrl = `https://localhost:${port}`
    const BACKENDS = [backendUrl, `https://127.0.0.1:${port}`].join(',')
    const settings = { apiKey, backendUrl, certificates }
    edge =
      platform === 'node'
        ? await startNodeEdge(settings, { BACKENDS })
        : await startWorkerd(settings, { vars: { BACKENDS } })
  })
  afterAll(async () => {
    await edge.stop()
    await endLaunch(product)
  })

  it.each(atManyBackends)('$id: $kind', async (tried) => {
    const { type, bytes } = await caseBody(tried)
    const startedAt = performance.now()
    const answer = fetch(edge.url + tried.request.path, {
      method: tried.request.method,
      headers: { 'x-api-key': apiKey, ...(type && { 'content-type': type }) },
      body: new Uint8Array(bytes),
    }).then(async (response) => {
      const body = await response.text()
      const ms = performance.now() - startedAt
      return { status: response.status, contentType: '', body, ms }
    })
    const health = await fetch(`${edge.url}/health`, {
      signal: AbortSignal.timeout(500 * slowness),
    })
    await health.text()
    const { ms, ...told } = await answer
    expectCase(tried.expect, told)
    expect(ms).toBeLessThan(1_000 * slowness)
  })
})

/** @returns the answer and the milliseconds it took */
async function curl(
  inside: readonly string[],
  what: readonly string[],
): Promise<CaseAnswer & { readonly ms: number }> {
  const facts = '\n%{http_code} %{time_total} %{content_type}'
  const [command, ...rest] = [...inside, 'curl', '-sS', '-w', facts, ...what]
  const { stdout } = await run(command!, rest, { maxBuffer: 64 * 1024 * 1024 })
  const end = stdout.lastIndexOf('\n')
  const [status, seconds, contentType] = stdout.slice(end + 1).split(' ')
  return {
    status: Number(status),
    contentType: contentType ?? '',
    body: stdout.slice(0, end),
    ms: Number(seconds) * 1000,
  }
}

/** A server at a public address that answers byte for byte what the case specifies. */
async function servePictures(inside: readonly string[], tried: Case): Promise<ChildProcess> {
  const answers = Object.entries(tried.upstream!).map(([path, { head, body_file }]) => [
    path,
    head,
    resolve(caseFolder, 'files', body_file),
  ])
  const program = `
    const { readFileSync } = require('node:fs')
    const answers = new Map(${JSON.stringify(answers)}.map(([path, head, file]) =>
      [path, Buffer.concat([Buffer.from(head), readFileSync(file)])]))
    require('node:net').createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (request) => socket.end(answers.get(String(request).split(' ')[1])))
    }).listen(80, '${publicAddress}', () => console.log('listening'))`
  const [command, ...rest] = [...inside, process.execPath, '-e', program]
  const server = spawn(command, rest)
  await once(server.stdout, 'data')
  return server
}
