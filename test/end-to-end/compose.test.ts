import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { findFreePorts } from '../../scripts/start/port.ts'
import { eventually } from './eventually.ts'
import { answerOf, formCall, goldenImage } from './requests.ts'

const service = z.looseObject({
  build: z.object({ context: z.string(), dockerfile: z.string() }),
  environment: z.record(z.string(), z.string()),
  secrets: z.array(z.string()),
  stop_grace_period: z.string().regex(/^\d+s$/),
})
const { services } = z
  .looseObject({ services: z.record(z.string(), service) })
  .parse(parse(readFileSync('deploy/docker/compose.yaml', 'utf8'), { merge: true }))

/** What the last stage of a Dockerfile says. */
function imageOf(path: string) {
  const text = readFileSync(path, 'utf8').replaceAll('\\\n', ' ')
  const lines = text.slice(text.lastIndexOf('\nFROM ')).split('\n')
  const all = (name: string) =>
    lines.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))
  const [healthcheck] = all('HEALTHCHECK')
  return {
    copies: all('COPY')
      .filter((line) => !line.startsWith('--from'))
      .map((line) => line.split(' ')),
    environment: Object.fromEntries(
      [
        ...all('ENV')
          .join(' ')
          .matchAll(/(\w+)=(\S+)/g),
      ].map(([, name, value]) => [name!, value!]),
    ),
    user: all('USER')[0],
    command: JSON.parse(all('CMD')[0]!) as string[],
    healthcheck: JSON.parse(healthcheck!.slice(healthcheck!.indexOf('CMD') + 3)) as string[],
  }
}

/** Milliseconds for a first start, which converts the model, on a machine that does other things too. */
const startTimeoutMs = 120_000

/** The user `node` of the images; only root may become it. */
const nodeUser = { uid: 1000, gid: 1000 }
const asNode = process.getuid?.() === 0 ? nodeUser : {}

interface Running {
  readonly child: ChildProcess
  readonly root: string
  readonly output: () => string
  readonly environment: Readonly<Record<string, string>>
}

let folder: string
let ports: { edge: number; backend: number; edgeMetrics: number; backendMetrics: number }
const running: Record<string, Running> = {}

/** Starts a service as its container would: files of the image, its environment, command and user. */
function startByHand(name: string): void {
  const { build, environment, secrets } = services[name]!
  const image = imageOf(build.dockerfile)
  const root = join(folder, name)
  for (const copy of image.copies) {
    for (const from of copy.slice(0, -1)) {
      const to = join(root, copy.at(-1)!.endsWith('/') ? from : copy.at(-1)!)
      mkdirSync(dirname(to), { recursive: true })
      cpSync(from, copy.length > 2 ? join(root, from) : to, { recursive: true })
    }
  }
  symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'))
  const state = join(folder, `${name}-state`)
  mkdirSync(state)
  if ('uid' in asNode) chownSync(state, nodeUser.uid, nodeUser.gid)
  const own = {
    ...image.environment,
    ...environment,
    STATE_DIR: state,
    // Here all are on one machine, where other programs may have the ports.
    ...(name === 'backend'
      ? { BACKEND_PORT: String(ports.backend), BACKEND_METRICS_PORT: String(ports.backendMetrics) }
      : {
          PORT: String(ports.edge),
          METRICS_PORT: String(ports.edgeMetrics),
          BACKENDS: environment['BACKENDS']!.replace(
            /^https:\/\/backend:\d+$/,
            `https://localhost:${ports.backend}`,
          ),
          API_KEY: apiKey,
        }),
  }
  const inHere = Object.fromEntries(
    Object.entries(own).map(([key, value]) => [
      key,
      value
        .replace(/^\/run\/secrets\/(\w+)$/, (_, secret: string) => {
          expect(secrets).toContain(secret)
          return join(folder, 'secrets', secret)
        })
        .replace(/^\$\{\w+:-(.*)\}$/, '$1'),
    ]),
  )
  const [program, ...rest] = image.command
  expect(program).toBe('node')
  const child = spawn(process.execPath, rest, { cwd: root, env: inHere, ...asNode })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  running[name] = { child, root, output: () => output, environment: inHere }
}

const apiKey = 'a-key-that-nobody-guesses'

async function healthOf(name: string): Promise<number | null> {
  const { root, environment } = running[name]!
  const { healthcheck } = imageOf(services[name]!.build.dockerfile)
  const metrics = environment[name === 'backend' ? 'BACKEND_METRICS_PORT' : 'METRICS_PORT']!
  const rest = healthcheck.slice(1).map((word) => word.replace(/:\d+\//, `:${metrics}/`))
  const child = spawn(process.execPath, rest, { cwd: root, ...asNode })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

describe('the services of the compose file, started by hand', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'compose-'))
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'secrets'))
    const names = { server: ['localhost'], client: 'edge' }
    const set = await createCertificates(names, Date.now())
    const secrets = {
      ca: set.ca,
      backend_cert: set.server,
      backend_key: set.serverKey,
      edge_cert: set.client,
      edge_key: set.clientKey,
    }
    for (const [name, text] of Object.entries(secrets)) {
      await writeFile(join(folder, 'secrets', name), text)
    }
    const wanted = { host: '127.0.0.1', port: 0, setting: 'PORT' }
    const [edge = 0, backend = 0, edgeMetrics = 0, backendMetrics = 0] = await findFreePorts([
      wanted,
      wanted,
      wanted,
      wanted,
    ])
    ports = { edge, backend, edgeMetrics, backendMetrics }
    for (const name of Object.keys(services)) startByHand(name)
  })
  afterAll(async () => {
    for (const { child } of Object.values(running)) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  it(
    'become healthy, as the images ask, and describe a picture',
    async () => {
      expect(Object.keys(running).toSorted()).toEqual(['backend', 'edge'])
      for (const [name, { child, output }] of Object.entries(running)) {
        await eventually(async () => {
          if (child.exitCode !== null) throw new Error(`The ${name} ended: ${output()}`)
          return (await healthOf(name)) === 0 || (await delay(200))
        })
      }
      const { body } = formCall({ prompt: 'Describe this image.', temperature: 0 }, [
        ['a.png', goldenImage('g01.png')],
      ])
      const response = await fetch(`http://127.0.0.1:${ports.edge}/generate/image`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey },
        body: body as FormData,
      })
      expect((await answerOf(response)).output).toContain('red circle')
    },
    startTimeoutMs,
  )

  it('write nothing but their state', () => {
    for (const [name, { root }] of Object.entries(running)) {
      expect(existsSync(join(root, '.local'))).toBe(false)
      expect(existsSync(join(folder, `${name}-state`))).toBe(true)
    }
  })

  it.each(['edge', 'backend'])('the %s ends with 0 in the time it gets', async (name) => {
    const { child } = running[name]!
    const graceMs = 1_000 * Number.parseInt(services[name]!.stop_grace_period, 10)
    child.kill('SIGTERM')
    const [code] = (await Promise.race([
      once(child, 'exit'),
      delay(graceMs).then(() => ['too late']),
    ])) as [unknown]
    expect(code).toBe(0)
  })
})
