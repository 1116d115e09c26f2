import { EnvHttpProxyAgent, fetch, type Dispatcher, type Response } from 'undici'
import { HubError } from './hub-error.ts'
import type { HubSettings } from './hub-settings.ts'
import { PassingError } from './retry.ts'

/** Longer than a working hub or its storage ever pauses. */
const silenceMs = 30_000
const connectMs = 10_000

/** The hub answers a download with a redirect to its storage, and a model's old name with a redirect to its new one. */
const maxRedirects = 5

/** Characters shown of the text of an error response. */
const maxDetail = 300

/**
 * HTTP exchanges with the hub and with the storage it redirects to. The token is sent only to the hub's own address.
 * Proxies are those of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
 */
export class HubClient {
  readonly #settings: Pick<HubSettings, 'endpoint' | 'token'>
  readonly #dispatcher: Dispatcher

  /** @param patienceMs milliseconds without a byte after which an exchange counts as broken */
  constructor(settings: Pick<HubSettings, 'endpoint' | 'token'>, patienceMs = silenceMs) {
    this.#settings = settings
    this.#dispatcher = new EnvHttpProxyAgent({
      headersTimeout: patienceMs,
      bodyTimeout: patienceMs,
      connect: { timeout: connectMs },
    })
  }

  get endpoint(): string {
    return this.#settings.endpoint
  }

  /**
   * Follows redirects; returns successful (2xx) responses only.
   * @param what is being requested, as errors call it
   * @throws {PassingError} when trying again may help
   * @throws {HubError} when the hub refuses
   */
  async get(
    address: string,
    headers: Readonly<Record<string, string>>,
    { what, signal }: { readonly what: string; readonly signal: AbortSignal },
  ): Promise<Response> {
    let url = new URL(address)
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const response = await this.#exchange(url, headers, { what, signal })
      if (response.ok) return response
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null) {
        throw await this.#refusal(response, url, what)
      }
      await response.body?.cancel()
      url = new URL(location, url)
    }
    throw new HubError(`${what}: ${this.endpoint} redirects in a loop`)
  }

  close(): Promise<void> {
    return this.#dispatcher.destroy()
  }

  async #exchange(
    url: URL,
    headers: Readonly<Record<string, string>>,
    { what, signal }: { readonly what: string; readonly signal: AbortSignal },
  ): Promise<Response> {
    const { token } = this.#settings
    const own = this.#isHub(url) && token !== undefined
    try {
      return await fetch(url, {
        headers: { ...headers, ...(own && { authorization: `Bearer ${token}` }) },
        redirect: 'manual',
        dispatcher: this.#dispatcher,
        signal,
      })
    } catch (cause) {
      signal.throwIfAborted()
      throw new PassingError(`${what}: ${url.host} cannot be reached (${reasonOf(cause)})`, {
        cause,
      })
    }
  }

  #isHub(url: URL): boolean {
    return url.origin === new URL(this.endpoint).origin
  }

  async #refusal(response: Response, url: URL, what: string): Promise<Error> {
    const { status } = response
    const detail = (await response.text().catch(() => '')).slice(0, maxDetail).trim()
    const message = `${what}: ${url.host} answers ${status}${detail === '' ? '' : ` (${detail})`}`
    if (status === 429 || status >= 500 || status === 408) {
      const retryAfterMs = retryAfter(response.headers.get('retry-after'))
      return new PassingError(message, retryAfterMs === undefined ? {} : { retryAfterMs })
    }
    // A URL in the storage is valid for a limited time; the hub issues a new one.
    if (!this.#isHub(url)) return new PassingError(message)
    return new HubError(`${message}. ${this.#advice(status)}`)
  }

  #advice(status: number): string {
    const { token } = this.#settings
    switch (status) {
      case 401:
        return token === undefined
          ? 'There is no such model, or it is not public: check the name, or set HF_TOKEN'
          : 'There is no such model, or HF_TOKEN is not valid for it'
      case 403:
        return token === undefined
          ? "Its owner requires consent: give it on the model's page, and set HF_TOKEN"
          : 'The account of HF_TOKEN may not read it: its owner may require consent, given on its page'
      case 404:
        return 'Check the name and the revision'
      default:
        return 'The hub does not accept this request'
    }
  }
}

/** Parses seconds or a date. @returns milliseconds */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000
  const ms = Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

export function reasonOf(error: unknown): string {
  const cause = (error as Error).cause
  const { message } = cause instanceof Error && cause.message !== '' ? cause : (error as Error)
  return message
}
