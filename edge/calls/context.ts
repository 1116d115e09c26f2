import type { Context, Handler, MiddlewareHandler } from 'hono'
import type { Call } from './call.ts'

export interface EdgeEnv {
  Bindings: {
    /** Node only: the request as it came from the socket. Reading it avoids copying into a web stream. */
    readonly incoming?: NodeRequest
  }
  Variables: {
    call: Call
  }
}

/** The part of Node's IncomingMessage used here. */
interface NodeRequest {
  readonly socket?: { readonly remoteAddress?: string | undefined }
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>
}

export type EdgeContext = Context<EdgeEnv>
export type EdgeHandler = Handler<EdgeEnv>
export type EdgeMiddleware = MiddlewareHandler<EdgeEnv>

/** Keeps a Worker alive for work that no answer waits for. */
export type KeepAlive = (c: EdgeContext, work: Promise<unknown>) => void
