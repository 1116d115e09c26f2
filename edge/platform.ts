import type { Context, Handler, MiddlewareHandler } from 'hono'
import type { ServiceError } from '../shared/api/errors.ts'
import type { Transport } from '../shared/fetch/fetch-image.ts'
import type { ApiKeys } from './keys/api-keys.ts'

/** What the app needs from the runtime it lives in; the two entries each make one. */
export interface Platform {
  readonly keys: ApiKeys
  /** Calls the backend over mutual TLS. Rejects when there is no connection, or a refused one. */
  readonly backend: (path: string, init: BackendInit) => Promise<Response>
  /** One HTTP exchange with the public internet. */
  readonly fetchPublic: Transport
  readonly log: (line: LogLine) => void
  /** Milliseconds. */
  readonly now: () => number
  /** Milliseconds one request may take in all. */
  readonly deadlineMs: number
}

export interface BackendInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Headers
  readonly body?: BackendBody
  readonly signal: AbortSignal
}

/** A web stream in a Worker, any other byte source on Node; only the same platform's `backend` reads it. */
export type BackendBody = string | Uint8Array | AsyncIterable<Uint8Array>

export interface LogLine {
  readonly level: 'info' | 'error'
  readonly message: string
  readonly [field: string]: string | number | null | undefined
}

export interface EdgeEnv {
  Bindings: {
    /** Node only: the request as it came from the socket. Reading it spares a copy into a web stream. */
    readonly incoming?: NodeBody
  }
  Variables: {
    requestId: string
    /** Milliseconds, by the platform's clock. */
    startedAt: number
    /** Id of the API key, never the key. */
    keyId?: string
    /** The error that was answered, for the log. */
    failure?: ServiceError
  }
}

/** The part of node's Readable that is used here. */
interface NodeBody {
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>
}

export type EdgeContext = Context<EdgeEnv>
export type EdgeHandler = Handler<EdgeEnv>
export type EdgeMiddleware = MiddlewareHandler<EdgeEnv>
