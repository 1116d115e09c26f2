import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { readRunningAddress } from '../shared/node/running-address.ts'
import type { CliParts } from './cli-parts.ts'
import { CliError } from './cli-error.ts'

/** Milliseconds for one answer; administration usually takes a few. */
const timeoutMs = 30_000

const errorAnswer = z.object({ error: z.object({ message: z.string(), code: z.string() }) })

interface AdminRequest<Schema extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Including its query. */
  readonly path: string
  readonly body?: unknown
  /** Schema of the answer. */
  readonly answer: Schema
}

/** Client of the admin API of the edge that DESCRIBE_URL names; by default the one `npm start` runs here. */
export class AdminClient {
  readonly #parts: CliParts

  constructor(parts: CliParts) {
    this.#parts = parts
  }

  /** @throws {CliError} saying what went wrong, in the server's words */
  async ask<Schema extends z.ZodType>(request: AdminRequest<Schema>): Promise<z.infer<Schema>> {
    const base = this.#baseUrl()
    const response = await this.#send(new URL(request.path, base), request)
    const answer: unknown = await response.json().catch(() => undefined)
    const failure = errorAnswer.safeParse(answer)
    if (failure.success) {
      throw new CliError(`${failure.data.error.message} (${failure.data.error.code})`)
    }
    const parsed = request.answer.safeParse(answer)
    if (response.ok && parsed.success) return parsed.data
    throw new CliError(
      `${base.origin} does not answer as a describe server: HTTP ${response.status}`,
    )
  }

  async #send(url: URL, { method, body }: AdminRequest<z.ZodType>): Promise<Response> {
    const headers = new Headers({ 'x-api-key': await this.#apiKey() })
    if (body !== undefined) headers.set('content-type', 'application/json')
    try {
      return await this.#parts.fetch(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The key goes to this server and nowhere else.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
    } catch (cause) {
      const hint = 'is it running, and is DESCRIBE_URL right?'
      throw new CliError(`Cannot reach ${url.origin}: ${hint}`, { cause })
    }
  }

  #baseUrl(): URL {
    const { DESCRIBE_URL, PORT, STATE_DIR } = this.#parts.environment
    const running = readRunningAddress(STATE_DIR || '.local')?.url
    const text = DESCRIBE_URL || running || `http://127.0.0.1:${PORT || '8787'}`
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text)
    throw new CliError('DESCRIBE_URL must be an http or https URL')
  }

  /** Never taken as a command argument, which everybody on the machine can read. */
  async #apiKey(): Promise<string> {
    const { DESCRIBE_API_KEY, STATE_DIR } = this.#parts.environment
    if (DESCRIBE_API_KEY) return DESCRIBE_API_KEY
    const file = join(STATE_DIR || '.local', 'api-key')
    const text = await readFile(file, 'utf8').catch(() => '')
    const key = text.trim()
    if (key !== '') return key
    throw new CliError(`No API key: set DESCRIBE_API_KEY, or have one in ${file}`)
  }
}
