import type { EdgeContext } from '../platform.ts'

/** Work that no answer waits for: a Worker ends it with the request, unless told; Node has no such context. */
export function keepAlive(c: EdgeContext, work: Promise<unknown>): void {
  if (c.env?.incoming === undefined) c.executionCtx.waitUntil(work)
}
