import type { ServiceError } from '../../shared/api/errors.ts'

/** A request to a backend. */
export interface BackendInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: BackendBody
  readonly signal: AbortSignal
  /** Requests with equal values go to the same backend as long as its load allows. */
  readonly affinity?: string | undefined
  /** Whether the other backends get a copy, whose answers nobody waits for. Requires a complete body. */
  readonly forAll?: boolean | undefined
  /** The client's error if it is to blame for a broken body. */
  readonly bodyFailure?: (() => ServiceError | undefined) | undefined
  /** Begins to count a complete answer. */
  readonly holdAnswer?: (() => HeldAnswer) | undefined
  /** Keeps a Worker alive for work that no answer waits for. */
  readonly background?: (work: Promise<unknown>) => void
}

/**
 * A list of chunks can be sent again, like a string or bytes. A stream cannot; it is a web stream in a Worker, any other
 * byte source on Node, and read only by the same platform's backend client.
 */
export type BackendBody = string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>

/** The memory that a complete answer takes, counted before it is taken. */
export interface HeldAnswer {
  /** @throws {ServiceError} `queue_full` */
  readonly add: (bytes: number) => void
  /** Frees everything; calling it again does nothing. */
  readonly release: () => void
}

/** A backend's answer. A `Response` qualifies, and the edge on Node makes a lighter one. The body can be read once. */
export interface BackendAnswer {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null }
  /** For streamed answers. */
  readonly body: ReadableStream<Uint8Array> | null
  /** For complete answers. */
  readonly arrayBuffer: () => Promise<ArrayBuffer>
}

/** How a stream ended: sent completely, broken off by the backend, abandoned by its client, or cut by this edge. */
export type StreamEnd = 'whole' | 'broken' | 'left' | 'cut'

/** An answer, and the backend that gave it. */
export interface BackendReply {
  readonly answer: BackendAnswer
  readonly backendId: string
  /** Must be called once the answer has been passed on: until then it counts as work of the backend, or as held. */
  readonly ended: (how: StreamEnd) => void
}

/** Calls a backend over mutual TLS. Rejects when no connection can be made, or it is refused. */
export type CallBackend = (path: string, init: BackendInit) => Promise<BackendReply>
