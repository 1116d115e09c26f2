import type { ServiceError } from '../../shared/api/errors.ts'

/** A request to a backend. */
export interface BackendInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: BackendBody
  readonly signal: AbortSignal
  /** Requests with equal ones go to the same backend as long as its load allows. */
  readonly affinity?: string | undefined
  /** Whether the other backends get it as well, without being waited for; only with a body that is here whole. */
  readonly forAll?: boolean | undefined
  /** Why the body broke, if the client is to blame. */
  readonly bodyFailure?: (() => ServiceError | undefined) | undefined
  /** Keeps a Worker alive for work that no answer waits for. */
  readonly background?: (work: Promise<unknown>) => void
}

/** A web stream in a Worker, any other byte source on Node; only the same platform's backend reads it. */
export type BackendBody = string | Uint8Array | AsyncIterable<Uint8Array>

/** What a backend answered. A `Response` is one, and Node's edge makes a lighter one. The body can be read once. */
export interface BackendAnswer {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null }
  /** For what comes in pieces. */
  readonly body: ReadableStream<Uint8Array> | null
  /** For what is wanted whole. */
  readonly arrayBuffer: () => Promise<ArrayBuffer>
}

/** How a stream ended: sent whole; broken off by the backend; its client left; or cut by this edge. */
export type StreamEnd = 'whole' | 'broken' | 'left' | 'cut'

/** An answer, and which backend gave it. */
export interface BackendReply {
  readonly answer: BackendAnswer
  readonly backendId: string
  /** To be called once the answer has ended, if it is a stream: until then the backend counts as busy with it. */
  readonly ended: (how: StreamEnd) => void
}

/** Calls a backend over mutual TLS. Rejects when there is no connection, or a refused one. */
export type CallBackend = (path: string, init: BackendInit) => Promise<BackendReply>
