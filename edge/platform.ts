import type { Context, Handler, MiddlewareHandler } from 'hono'
import type { ServiceError } from '../shared/api/errors.ts'
import type { EdgeRouteName } from '../shared/api/routes.ts'
import type { Transport } from '../shared/fetch/fetch-image.ts'
import type { HostRules } from '../shared/fetch/host-rules.ts'
import type { WebBody } from './body/web-pieces.ts'
import type { IdempotencyStore } from './idempotency/idempotency-store.ts'
import type { ApiKeys } from './keys/api-keys.ts'
import type { KeyIdentity } from './keys/key-record.ts'
import type { KeyStore } from './keys/key-store.ts'
import type { CallFacts } from './calls/call.ts'
import type { Meter, Standing } from './limits/meter.ts'
import type { StreamEnd, StreamRelay } from './calls/stream-relay.ts'

/** What the app needs from the runtime it lives in; the two entries each make one. */
export interface Platform {
  readonly keys: ApiKeys
  /** Where administrators change keys. */
  readonly keyStore: KeyStore
  /** Whether streams end soon after their key was revoked. */
  readonly revocationCutsStreams: boolean
  /** Counts what keys use. */
  readonly meter: Meter
  /** False when the client's address sends far too much; asked before anything else is done for it. */
  readonly admitAddress: (c: EdgeContext) => Promise<boolean>
  /** Makes a web stream that the platform sends well. */
  readonly webBody: WebBody
  /** Passes streams on. */
  readonly relay: StreamRelay
  /** Keeps a Worker alive for work that no answer waits for. */
  readonly keepAlive: (c: EdgeContext, work: Promise<unknown>) => void
  /** Calls a backend over mutual TLS. Rejects when there is no connection, or a refused one. */
  readonly backend: (path: string, init: BackendInit) => Promise<BackendAnswer>
  /** True when equal prompts and images should meet the same backend, for its caches. */
  readonly stickyByContent: boolean
  /** Where answers to requests with an `Idempotency-Key` are kept. */
  readonly answers: IdempotencyStore
  /** One HTTP exchange with the public internet. */
  readonly fetchPublic: Transport
  /** Whose images may be fetched. */
  readonly imageHosts: HostRules
  readonly log: (line: LogLine) => void
  /** Milliseconds, to measure time spans by. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** Milliseconds one request may take in all. */
  readonly deadlineMs: number
}

export interface BackendInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: BackendBody
  readonly signal: AbortSignal
  /** Requests with equal ones go to the same backend as long as its load allows. */
  readonly affinity?: string | undefined
  /** Why the body broke, if the client is to blame. */
  readonly bodyFailure?: (() => ServiceError | undefined) | undefined
  /** Told, when the answer is a stream, how to tell how it ended. A stream that nobody watches counts as over. */
  readonly watchStream?: (told: (how: StreamEnd) => void) => void
  /** Told which backend answered. */
  readonly onBackend?: (id: string) => void
  /** Keeps a Worker alive for work that no answer waits for. */
  readonly background?: (work: Promise<unknown>) => void
}

/** What a backend answered. A `Response` is one, and Node's edge makes a lighter one. The body can be read once. */
export interface BackendAnswer {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null }
  /** For what comes in pieces. */
  readonly body: ReadableStream<Uint8Array> | null
  /** For what is wanted whole. */
  readonly arrayBuffer: () => Promise<ArrayBuffer>
}

/** A web stream in a Worker, any other byte source on Node; only the same platform's `backend` reads it. */
export type BackendBody = string | Uint8Array | AsyncIterable<Uint8Array>

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [field: string]: string | number | null | undefined
}

export interface EdgeEnv {
  Bindings: {
    /** Node only: the request as it came from the socket. Reading it spares a copy into a web stream. */
    readonly incoming?: NodeRequest
  }
  Variables: {
    requestId: string
    /** Milliseconds, by the platform's clock. */
    startedAt: number
    /** Whose request this is; never the key itself. */
    key?: KeyIdentity
    /** Undefined for a path that does not exist. */
    route?: EdgeRouteName
    /** Which backend answered, and who wants to know how its stream ended. */
    backendId?: string
    onStreamEnd?: (how: StreamEnd) => void
    /** The whole body, when it had to be read before its route does. */
    bufferedBody?: Uint8Array
    /** True when the run goes on without its client. */
    runsToEnd?: boolean
    /** Ends the call of the backend, should one that began ahead of its reservation be refused. */
    withdraw?: () => void
    /** Where the key stands with its limits. */
    standings?: readonly Standing[]
    /** When the key's limits had room, and when the backend's answer began; by the platform's clock. */
    admittedAt?: number
    answeredAt?: number
    /** Resolves when the answer's body has ended, in whatever way. */
    relayed?: Promise<CallFacts>
    /** The error that was answered, for the log. */
    failure?: ServiceError
  }
}

/** The part of node's IncomingMessage that is used here. */
interface NodeRequest {
  readonly socket?: { readonly remoteAddress?: string | undefined }
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>
}

export type EdgeContext = Context<EdgeEnv>
export type EdgeHandler = Handler<EdgeEnv>
export type EdgeMiddleware = MiddlewareHandler<EdgeEnv>
