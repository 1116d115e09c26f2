import * as z from 'zod'
import type { CliParts } from './cli-parts.ts'
import { CliError } from './cli-error.ts'
import { serverKey, serverUrl } from './server-access.ts'

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
    const base = serverUrl(this.#parts)
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
    const headers = new Headers({ 'x-api-key': await serverKey(this.#parts) })
    if (body !== undefined) headers.set('content-type', 'application/json')
    try {
      return await this.#parts.fetch(url, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The key goes to this server and nowhere else.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
    } catch (cause) {
      const hint = 'is it running, and is DESCRIBE_URL right?'
      throw new CliError(`Cannot reach ${url.origin}: ${hint}`, { cause })
    }
  }
}
