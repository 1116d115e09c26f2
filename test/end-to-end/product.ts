import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch as undiciFetch } from 'undici'
import { descendantsOf } from './processes.ts'

/** A test's request, in the same form for every way in. */
export interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | FormData | Uint8Array
  readonly signal?: AbortSignal
}

/** A product started the way users start it. Everything it writes is collected in `output`. */
export interface Launch {
  readonly child: ChildProcess
  readonly stateDir: string
  readonly output: () => string
  /** Resolves with the exit code, null after a signal. */
  readonly ended: Promise<number | null>
}

/**
 * Runs `npm start`'s program in a new state folder, on free ports unless `settings` say otherwise.
 * Call `endLaunch()` afterwards.
 * @param wrapper command that runs the command given to it, in its own process
 */
export async function launch(
  settings: Readonly<Record<string, string>>,
  wrapper: readonly string[] = [],
): Promise<Launch> {
  const stateDir = await mkdtemp(join(tmpdir(), 'describe-state-'))
  const [command, ...rest] = [...wrapper, process.execPath, 'scripts/bootstrap.mjs', 'start']
  const child = spawn(command, rest, {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      TMPDIR: process.env['TMPDIR'],
      PORT: '0',
      BACKEND_PORT: '0',
      // Two threads of so small a model mostly wait for each other.
      THREADS: '1',
      STATE_DIR: stateDir,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, stateDir: settings['STATE_DIR'] ?? stateDir, output: () => output, ended }
}

export async function endLaunch({ child, stateDir, ended }: Launch): Promise<void> {
  child.kill('SIGTERM')
  await ended
  await rm(stateDir, { recursive: true, force: true })
}

/** The running product and the ways into it. */
export interface Product extends Launch {
  readonly url: string
  readonly apiKey: string
  /** A request to the edge, with the API key unless `headers` contain one. */
  edge(path: string, call?: Call): Promise<Response>
  /** A request directly to the backend, with the client certificate. */
  backend(path: string, call?: Call): Promise<Response>
  readonly backendUrl: string
  processes(): ReturnType<typeof descendantsOf>
}

/** Launches the product and waits for its `ready` line. */
export async function startProduct(
  settings: Readonly<Record<string, string>>,
  wrapper: readonly string[] = [],
): Promise<Product> {
  const launched = await launch(settings, wrapper)
  const url = await waitForLine(launched, /^ready (\S+)$/m)
  const backendUrl = /https:\/\/[\w.:[\]]+/.exec(launched.output())![0]
  const apiKey = (await readFile(join(launched.stateDir, 'api-key'), 'utf8')).trim()
  const readPem = (name: string) => readFile(join(launched.stateDir, 'certs', name), 'utf8')
  const dispatcher = new Agent({
    connect: {
      ca: await readPem('ca.pem'),
      cert: await readPem('client.pem'),
      key: await readPem('client-key.pem'),
    },
  })
  return {
    ...launched,
    url,
    backendUrl,
    apiKey,
    edge: (path, { headers, method = 'POST', ...call } = {}) =>
      fetch(new URL(path, url), { method, headers: { 'x-api-key': apiKey, ...headers }, ...call }),
    backend: (path, call) => fetchWithCertificate(new URL(path, backendUrl), dispatcher, call),
    processes: () => descendantsOf(launched.child.pid!),
  }
}

/** undici's own fetch takes an agent but only knows its own FormData, so forms are sent as bytes. */
export async function fetchWithCertificate(
  url: URL,
  dispatcher: Agent,
  { method = 'POST', headers, body, signal }: Call = {},
): Promise<Response> {
  const encoded = new Request('http://unused', { method: 'POST', ...(body && { body }) })
  const bytes = new Uint8Array(await encoded.arrayBuffer())
  const type = encoded.headers.get('content-type')
  return undiciFetch(url, {
    method,
    dispatcher,
    headers: { ...(type !== null && { 'content-type': type }), ...headers },
    ...(body && { body: bytes }),
    ...(signal && { signal }),
  })
}

/** @returns the first group of `pattern` in the output, once it is there */
async function waitForLine(launched: Launch, pattern: RegExp): Promise<string> {
  for (;;) {
    const match = pattern.exec(launched.output())
    if (match !== null) return match[1]!
    const more = once(launched.child.stdout!, 'data')
    const code = await Promise.race([launched.ended, more.then(() => undefined)])
    if (code !== undefined) throw new Error(`It ended with ${code}:\n${launched.output()}`)
  }
}
