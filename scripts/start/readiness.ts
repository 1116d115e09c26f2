import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { probeRoutes, routes } from '../../shared/api/routes.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'
import { StartError } from './start-error.ts'

/** Prefix of the ids of the readiness requests: they are not traffic, and the terminal does not show them. */
export const proofIdPrefix = 'npm-start-'

/** Milliseconds between two polls: short compared with the start, and nobody else sends requests yet. */
const pollMs = 50

/**
 * Milliseconds one readiness request may take: generous, because a big model reads its weights during the first one.
 */
const proofTimeoutMs = 120_000

/**
 * Milliseconds for which the edge may say that it is not ready: on a busy machine or a slow disk, its own look at keys and
 * limits, which has to be over within less than a second, may fail at first.
 */
const readyPatienceMs = 10_000

/** The picture described by a first request, relative to the project folder. */
export const samplePicture = 'docs/sample.png'

/**
 * Resolves once the backend reports that it is healthy, when called directly with the client certificate.
 * @param onLook called with what it reports until then
 * @throws {StartError} when it answers anything other than that it is not ready
 */
export async function waitForBackend(
  backendUrl: string,
  { ca, client, clientKey }: CertificateSet,
  signal: AbortSignal,
  onLook: (state: string) => void,
): Promise<void> {
  const agent = new Agent({ ca, cert: client, key: clientKey, keepAlive: true })
  try {
    for (;;) {
      const answer = await healthOf(new URL(routes.health.path, backendUrl), agent)
      if (answer?.status === 200) return
      if (answer !== undefined && answer.status !== 503) {
        throw new StartError(`The backend answers with ${answer.status}: ${answer.text}`)
      }
      onLook(answer === undefined ? 'it does not answer yet' : answer.text)
      await delay(pollMs, undefined, { signal })
    }
  } finally {
    agent.destroy()
  }
}

interface HealthAnswer {
  readonly status: number
  /** Why it is not healthy. */
  readonly text: string
}

/** @returns undefined while nothing answers */
function healthOf(url: URL, agent: Agent): Promise<HealthAnswer | undefined> {
  return new Promise((resolve) => {
    request(url, { agent }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: reasonIn(body) }))
    })
      .on('error', () => resolve(undefined))
      .end()
  })
}

function reasonIn(body: string): string {
  try {
    const { reason, error } = JSON.parse(body) as { reason?: string; error?: { message?: string } }
    return reason ?? error?.message ?? body
  } catch {
    return body
  }
}

/**
 * Sends a real text request and a real picture through the edge, and asks what it says of itself.
 * @param url of the edge, which may not be listening yet
 * @throws {StartError} when either is not answered with text, or when the edge does not call itself ready
 */
export async function proveReadiness(
  url: string,
  apiKey: string,
  signal: AbortSignal,
  patienceMs = readyPatienceMs,
): Promise<void> {
  const proof = { 'x-api-key': apiKey, 'x-request-id': `${proofIdPrefix}${randomUUID()}` }
  const fields = { prompt: 'Hello!', temperature: 0, max_tokens: 8 }
  await prove(new URL(routes.text.path, url), signal, {
    headers: { ...proof, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
  form.set('images', new Blob([await readFile(samplePicture)], { type: 'image/png' }), 'sample.png')
  await prove(new URL(routes.image.path, url), signal, {
    headers: proof,
    body: form,
  })
  await waitForReadyEdge(new URL(probeRoutes.readyz.path, url), patienceMs, signal)
}

/** @throws {StartError} when it does not call itself ready in time */
async function waitForReadyEdge(url: URL, patienceMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + patienceMs
  for (;;) {
    const response = await fetch(url, { signal })
    const text = await response.text()
    if (response.ok) return
    if (performance.now() >= until) {
      throw new StartError(`The edge answers requests but is not ready: ${text}`)
    }
    await delay(pollMs, undefined, { signal })
  }
}

async function prove(
  url: URL,
  signal: AbortSignal,
  init: { headers: Record<string, string>; body: string | FormData },
): Promise<void> {
  const response = await fetchOnceListening(url, signal, init)
  const answer = (await response.json()) as { output?: unknown; error?: { message?: string } }
  if (response.ok && typeof answer.output === 'string') return
  throw new StartError(
    `The first request to ${url.pathname} failed with ${response.status}: ${answer.error?.message ?? 'no output'}`,
  )
}

async function fetchOnceListening(url: URL, signal: AbortSignal, init: RequestInit) {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(proofTimeoutMs)])
  for (;;) {
    try {
      return await fetch(url, { ...init, method: 'POST', signal: limit })
    } catch (error) {
      if (!isConnectionRefused(error)) throw error
      await delay(pollMs, undefined, { signal: limit })
    }
  }
}

function isConnectionRefused(error: unknown): boolean {
  return error instanceof Error && (error.cause as { code?: unknown })?.code === 'ECONNREFUSED'
}
