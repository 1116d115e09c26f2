import type { BackendAnswer, BackendInit } from './exchange.ts'

/** One backend as the platform reaches it. */
export interface BackendTarget {
  /** Its name in logs and in the sticky choice, so it should survive restarts and reordering of the list. */
  readonly id: string
  /** Sends over mutual TLS. Rejects with NotConnectedError when the backend has seen nothing of the request. */
  readonly send: (path: string, init: BackendInit) => Promise<BackendAnswer>
}

/** No connection was made: nothing was sent, so the same request may go elsewhere. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError'
  /** Whether it merely took too long, so that another attempt may succeed. */
  readonly isSlow: boolean

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly isSlow?: boolean } = {},
  ) {
    super(message, options)
    this.isSlow = options.isSlow ?? false
  }
}
