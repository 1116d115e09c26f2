import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '../../shared/api/routes.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'
import { StartError } from './start-error.ts'

/** Milliseconds between two looks: short against the start, and nobody else is asking yet. */
const pollMs = 50

/** Milliseconds one proving request may take: generous, a big model reads its weights during the first. */
const proofTimeoutMs = 120_000

/** The picture a first request describes, relative to the project folder. */
export const samplePicture = 'docs/sample.png'

/** Resolves once the backend says it is healthy, asked directly with the client certificate. */
export async function waitForBackend(
  backendUrl: string,
  { ca, client, clientKey }: CertificateSet,
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ ca, cert: client, key: clientKey, keepAlive: true })
  try {
    while ((await statusOf(new URL(routes.health.path, backendUrl), agent)) !== 200) {
      await delay(pollMs, undefined, { signal })
    }
  } finally {
    agent.destroy()
  }
}

/** @returns the status, or undefined while nothing answers */
function statusOf(url: URL, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve) => {
    request(url, { agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
      .on('error', () => resolve(undefined))
      .end()
  })
}

/**
 * Sends a real text request and a real picture through the edge.
 * @param url of the edge, which may not be listening yet
 * @throws {StartError} when one is not answered with text
 */
export async function proveReadiness(
  url: string,
  apiKey: string,
  signal: AbortSignal,
): Promise<void> {
  const fields = { prompt: 'Hello!', temperature: 0, max_tokens: 8 }
  await prove(new URL(routes.text.path, url), signal, {
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
  form.set('images', new Blob([await readFile(samplePicture)], { type: 'image/png' }), 'sample.png')
  await prove(new URL(routes.image.path, url), signal, {
    headers: { 'x-api-key': apiKey },
    body: form,
  })
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
