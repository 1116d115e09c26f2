import { ServiceError } from '../../shared/api/errors.ts'
import { maxIdempotentBodyBytes, maxIdempotencyKeyChars } from '../../shared/api/limits.ts'
import { isVisibleAscii } from '../../shared/api/wire/visible-ascii.ts'
import { whenAborted } from '../../shared/async/when-aborted.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import { readClientBody } from '../body/client-body.ts'
import { clientGone, deadlineExceeded } from '../calls/call-errors.ts'
import type { EdgeContext, EdgeMiddleware, KeepAlive } from '../calls/context.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Claim, ClaimReply, IdempotencyStore, KeptAnswer } from './idempotency-store.ts'
import { maxKeptBytes, recordAnswer } from './record-answer.ts'
import { errorText } from '../../shared/log/error-text.ts'

export const idempotencyKeyHeader = 'idempotency-key'

/** Milliseconds between two checks of a run in progress: soon at first, less often later. */
const firstLookMs = 100
const longestLookMs = 3_000

/** Milliseconds beyond its deadline after which a run without a reported outcome counts as lost. */
const leaseGraceMs = 10_000

export interface IdempotencyParts {
  /** Keeps answers to requests with an `Idempotency-Key`. */
  readonly answers: IdempotencyStore
  /** Milliseconds that one request may take in total. */
  readonly deadlineMs: number
  /** Milliseconds, for measuring time spans. */
  readonly now: () => number
  readonly keepAlive: KeepAlive
  readonly log: (line: LogLine) => void
}

/**
 * Runs requests with the same `Idempotency-Key` once: a repetition gets the kept answer, or waits for it. A run
 * continues when its client leaves, so that the answer is there when the client returns. Failures are not kept.
 * @throws {ServiceError} `idempotency_conflict` when the key was used for a different request; `answer_not_kept` when
 * the answer was too long to be kept; `invalid_field`; `body_too_large`, because the body must be held completely
 */
export function idempotent(parts: IdempotencyParts): EdgeMiddleware {
  return async (c, next) => {
    const key = idempotencyKeyOf(c.req.raw.headers)
    if (key === undefined) return next()
    const body = await readClientBody(c, maxIdempotentBodyBytes)
    const { call } = c.var
    call.heldBody = body
    const claim: Claim = {
      scope: call.key?.id ?? 'none',
      key,
      fingerprint: await fingerprintOf(c.req.path, c.req.raw.headers, body),
      leaseMs: parts.deadlineMs + leaseGraceMs,
    }
    const reply = await claimOrWait(c, parts, claim)
    if (reply.kind === 'answered') return replayed(reply.answer)
    call.outliveClient()
    await next()
    const { response, ended } = recordAnswer(c.res, call.held?.answer())
    c.res = response
    const settled = ended.then((outcome) => parts.answers.settle(claim, reply.run, outcome))
    parts.keepAlive(c, logFailure(settled, c, parts))
  }
}

function idempotencyKeyOf(headers: Headers): string | undefined {
  const key = headers.get(idempotencyKeyHeader)
  if (key === null) return undefined
  if (isVisibleAscii(key, maxIdempotencyKeyChars)) return key
  const message = `Idempotency-Key must be 1 to ${maxIdempotencyKeyChars} visible ASCII characters, received ${key.length}`
  throw new ServiceError('invalid_field', message, { param: 'Idempotency-Key' })
}

/** Waits until the run in progress has ended, the client leaves or the time is up. */
async function claimOrWait(
  c: EdgeContext,
  parts: IdempotencyParts,
  claim: Claim,
): Promise<Extract<ClaimReply, { kind: 'run' | 'answered' }>> {
  for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 1.5, longestLookMs)) {
    const reply = await askStore(parts, claim)
    switch (reply.kind) {
      case 'run':
      case 'answered':
        return reply
      case 'conflict':
        throw new ServiceError(
          'idempotency_conflict',
          'This Idempotency-Key was used for another request',
          { param: 'Idempotency-Key' },
        )
      case 'too_long': {
        const message = `This request was answered, but with more than the ${maxKeptBytes} bytes that are kept: it is not run again for this Idempotency-Key`
        throw new ServiceError('answer_not_kept', message, { param: 'Idempotency-Key' })
      }
      case 'running':
        await pause(waitMs, c.var.call.signal)
    }
    if (parts.now() - c.var.call.arrivedAt > parts.deadlineMs) {
      throw deadlineExceeded()
    }
  }
}

async function askStore(parts: IdempotencyParts, claim: Claim): Promise<ClaimReply> {
  try {
    return await parts.answers.claim(claim)
  } catch (cause) {
    // Running it without the guarantee it asks for would be worse than not running it.
    throw new ServiceError('idempotency_unavailable', 'Kept answers cannot be looked up now', {
      cause,
    })
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stopListening()
      resolve()
    }, ms)
    const stopListening = whenAborted(signal, () => {
      clearTimeout(timer)
      reject(clientGone())
    })
  })
}

function replayed({ contentType, body }: KeptAnswer): Response {
  return new Response(body, {
    headers: {
      'content-type': contentType,
      'cache-control': 'no-store',
      'idempotency-replayed': 'true',
    },
  })
}

async function logFailure(
  settled: Promise<void>,
  c: EdgeContext,
  parts: IdempotencyParts,
): Promise<void> {
  try {
    await settled
  } catch (error) {
    parts.log({
      level: 'error',
      message: 'an answer was not kept',
      request_id: c.var.call.requestId,
      detail: errorText(error),
    })
  }
}
