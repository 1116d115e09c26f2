import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { errorFormOf } from '../../shared/api/doors/error-forms.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { formatFailedComment } from '../../shared/forward/usage-comment.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { EdgeMiddleware } from './context.ts'
import { AnswerTail } from './relay/answer-tail.ts'

/** Milliseconds between checks whether a running stream's key is still valid. */
const intervalMs = 1_000

export interface CutRevokedParts {
  readonly keys: Pick<ApiKeys, 'isRevoked'>
  /** Milliseconds. */
  readonly now: () => number
}

/**
 * Ends a running event stream with `revoked_api_key` soon after its key was revoked; the backend stops working on it
 * too.
 */
export function cutRevokedStream({ keys, now }: CutRevokedParts): EdgeMiddleware {
  return async (c, next) => {
    await next()
    const { key, requestId } = c.var.call
    const isStream = isEventStream(c.res.headers.get('content-type'))
    if (key === undefined || c.res.body === null || !isStream) return
    const cut = cutWhen({
      revoked: () => keys.isRevoked(key.id),
      now,
      farewell: (said) => {
        const error = new ServiceError('revoked_api_key', 'The API key has been revoked')
        const words = errorFormOf(c.req.path).streamed(error, requestId, said)
        return words + formatFailedComment(error.code)
      },
    })
    c.res = new Response(c.res.body.pipeThrough(cut), c.res)
  }
}

interface CutParts {
  readonly revoked: () => Promise<boolean>
  /** Milliseconds. */
  readonly now: () => number
  /** @param said the end of what has been passed on, as text */
  readonly farewell: (said: string) => string
}

/** Passes bytes on until `revoked`, then adds the farewell and ends; checks only between two events. */
export function cutWhen(parts: CutParts): TransformStream<Uint8Array, Uint8Array> {
  let checkedAt = parts.now()
  const tail = new AnswerTail()
  return new TransformStream({
    async transform(bytes, controller) {
      controller.enqueue(bytes)
      // A copy: the memory of a chunk may be used for the next one.
      tail.push(bytes.slice())
      const isBetweenEvents = bytes.at(-1) === newline && bytes.at(-2) === newline
      if (!isBetweenEvents || parts.now() - checkedAt < intervalMs) return
      checkedAt = parts.now()
      // A failing check cuts nothing off.
      if (!(await parts.revoked().catch(() => false))) return
      controller.enqueue(new TextEncoder().encode(parts.farewell(tail.text())))
      controller.terminate()
    },
  })
}

const newline = 0x0a
