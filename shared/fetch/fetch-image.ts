import { startDeadline } from '../async/deadline.ts'
import { ServiceError } from '../api/errors.ts'
import { maxFetchedImageBytes } from '../api/limits.ts'
import { isCompressed, repairLocation } from './response-headers.ts'
import { checkUrl, type UrlCheck, type UrlRefusal } from './check-url.ts'
import { detectImageType, type ImageType } from './detect-image-type.ts'
import { anyHost, hostAllowed, type HostRules } from './host-rules.ts'
import { unlessAborted } from '../async/unless-aborted.ts'
import { ByteBudget } from '../bytes/byte-budget.ts'
import { readLimited } from '../bytes/read-limited.ts'

/**
 * One HTTP exchange that follows no redirect. A transport that resolves names must reject addresses that are not
 * public.
 */
export type Transport = (url: string, init: TransportInit) => Promise<Response>

interface TransportInit {
  readonly method: 'GET'
  readonly headers: Record<string, string>
  readonly redirect: 'manual'
  readonly signal: AbortSignal
}

export interface FetchedImage {
  readonly bytes: Uint8Array
  /** Judged by content, not by what the server declared. */
  readonly type: ImageType
}

/** Why there is no image. Internal: `fetchFailureError` decides how much of it a client may read. */
export type FetchFailure =
  | { readonly reason: 'url_refused'; readonly why: UrlRefusal | 'host_rules' }
  | { readonly reason: 'redirect_refused'; readonly why: UrlRefusal | 'host_rules' | 'downgrade' }
  | { readonly reason: 'too_many_redirects'; readonly maxRedirects: number }
  | { readonly reason: 'redirect_without_location' }
  /** No connection. A name that resolves to a refused address looks the same. */
  | { readonly reason: 'unreachable'; readonly cause: unknown }
  /** The answer began but was not completed. */
  | { readonly reason: 'broken_off'; readonly cause: unknown }
  | { readonly reason: 'status'; readonly status: number }
  | { readonly reason: 'compressed' }
  | { readonly reason: 'not_an_image' }
  | { readonly reason: 'too_large'; readonly maxBytes: number }
  | { readonly reason: 'total_too_large'; readonly maxBytes: number }
  | { readonly reason: 'timeout'; readonly timeoutMs: number }

export type FetchOutcome =
  | { readonly ok: true; readonly image: FetchedImage }
  | { readonly ok: false; readonly failure: FetchFailure }

export interface FetchOptions {
  readonly transport: Transport
  /** By default any public host. */
  readonly hosts?: HostRules
  /** The client's connection. */
  readonly signal: AbortSignal
  /** Milliseconds for everything, from name resolution through redirects to the last byte. */
  readonly timeoutMs?: number
  /** A budget shared by all images of one request. */
  readonly total?: ByteBudget
}

/**
 * Enough for a 10 MB photo at 8 Mbit/s. Longer waits should happen in the client, not in one of our connection slots.
 */
const defaultTimeoutMs = 10_000

/** Enough for http -> https -> www -> CDN. */
const maxRedirects = 3

const redirectStatuses = new Set([301, 302, 303, 307, 308])

const requestHeaders = {
  // Strict servers answer 406 when nothing matches. What arrives is judged by its bytes.
  accept: 'image/avif,image/webp,image/png,image/jpeg,image/gif,image/tiff,*/*;q=0.5',
  // Makes the counted bytes the transferred bytes.
  'accept-encoding': 'identity',
  'user-agent': 'describe-server (image fetch)',
}

/**
 * Fetches one image from an address chosen by a stranger.
 * @throws {ServiceError} `cancelled` when the client left, or whatever counting the bytes throws; every other ending
 * is an outcome
 */
export async function fetchImage(text: string, options: FetchOptions): Promise<FetchOutcome> {
  const check = checkTarget(text, options)
  if (!check.ok) return failed({ reason: 'url_refused', why: check.reason })
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const deadline = startDeadline(timeoutMs, options.signal)
  try {
    return await followRedirects(check.url, options, deadline.signal)
  } catch (cause) {
    // Thrown when there is no memory left to hold the image.
    if (cause instanceof ServiceError) throw cause
    if (deadline.expired) return failed({ reason: 'timeout', timeoutMs })
    if (options.signal.aborted) {
      throw new ServiceError('cancelled', 'The client left while its images were fetched', {
        cause,
      })
    }
    return failed({ reason: 'unreachable', cause })
  } finally {
    deadline.release()
  }
}

/** Whether the URL may be fetched at all, and from this host. @param base the URL that redirected here */
function checkTarget(
  text: string,
  { hosts = anyHost }: FetchOptions,
  base?: URL,
): UrlCheck | { readonly ok: false; readonly reason: 'host_rules' } {
  const check = checkUrl(text, base)
  if (!check.ok || hostAllowed(check.url.hostname, hosts)) return check
  return { ok: false, reason: 'host_rules' }
}

async function followRedirects(
  start: URL,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const response = await requestOnce(url, options.transport, signal)
    if (!redirectStatuses.has(response.status)) return readImage(response, options, signal)
    discardBody(response)
    const target = redirectTarget(url, response.headers.get('location'), options)
    if ('failure' in target) return failed(target.failure)
    url = target.url
  }
  return failed({ reason: 'too_many_redirects', maxRedirects })
}

function requestOnce(url: URL, transport: Transport, signal: AbortSignal): Promise<Response> {
  const target = new URL(url)
  target.hash = ''
  const init = { method: 'GET', headers: requestHeaders, redirect: 'manual', signal } as const
  return unlessAborted(transport(target.href, init), signal)
}

function redirectTarget(
  from: URL,
  location: string | null,
  options: FetchOptions,
): { readonly url: URL } | { readonly failure: FetchFailure } {
  if (location === null) return { failure: { reason: 'redirect_without_location' } }
  const check = checkTarget(repairLocation(location), options, from)
  if (!check.ok) return { failure: { reason: 'redirect_refused', why: check.reason } }
  if (from.protocol === 'https:' && check.url.protocol === 'http:') {
    return { failure: { reason: 'redirect_refused', why: 'downgrade' } }
  }
  return { url: check.url }
}

async function readImage(
  response: Response,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  const refusal = refuseByHead(response)
  if (refusal !== undefined) {
    discardBody(response)
    return failed(refusal)
  }
  if (response.body === null) return failed({ reason: 'not_an_image' })
  const budget = new ByteBudget(maxFetchedImageBytes, options.total)
  const bytes = await readLimited(response.body, budget, signal).catch((cause: unknown) => {
    if (signal.aborted || cause instanceof ServiceError) throw cause
    return { cause }
  })
  if (bytes !== undefined && 'cause' in bytes) return failed({ reason: 'broken_off', ...bytes })
  if (bytes === undefined) {
    const { total } = options
    return total === undefined || budget.exceeded
      ? failed({ reason: 'too_large', maxBytes: maxFetchedImageBytes })
      : failed({ reason: 'total_too_large', maxBytes: total.maxBytes })
  }
  const type = detectImageType(bytes)
  return type === undefined
    ? failed({ reason: 'not_an_image' })
    : { ok: true, image: { bytes, type } }
}

function refuseByHead(response: Response): FetchFailure | undefined {
  if (response.status !== 200) return { reason: 'status', status: response.status }
  // Compressed although asked not to: the runtime would decompress it, and a small answer could become a huge one.
  if (isCompressed(response.headers.get('content-encoding'))) return { reason: 'compressed' }
  const declared = Number(response.headers.get('content-length') ?? 0)
  if (declared > maxFetchedImageBytes)
    return { reason: 'too_large', maxBytes: maxFetchedImageBytes }
  return undefined
}

function failed(failure: FetchFailure): FetchOutcome {
  return { ok: false, failure }
}

function discardBody(response: Response): void {
  response.body?.cancel().catch(() => undefined)
}
