import type { Dispatcher } from 'undici'
import { startDeadline } from '../../shared/async/deadline.ts'
import { ByteBudget } from '../../shared/bytes/byte-budget.ts'
import { readLimited } from '../../shared/bytes/read-limited.ts'
import { AnswerError, errorCodeIn, type LoadApi } from './load-api.ts'
import { createTally, readAnswer, type StreamTally } from './read-answer.ts'

/** Bytes of an error body that are read. */
const maxErrorBytes = 64 * 1024

/** A code in an error of Node or of its HTTP client. */
const systemCode = /^[A-Z][A-Z0-9_]{1,40}$/

export interface LoadTarget {
  readonly url: URL
  readonly key: string | undefined
  readonly api: LoadApi
  /** From sending to the last byte. */
  readonly timeoutMs: number
}

type Outcome =
  | { readonly type: 'ok' }
  /** The run was stopped while it was in progress, so it is neither a success nor a failure. */
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly code: string }

export interface RequestRecord {
  readonly outcome: Outcome
  /** When it was due. Times count from then, even if it had to wait for its turn. */
  readonly dueAtMs: number
  readonly endedAtMs: number
  readonly tally: StreamTally
}

/**
 * Sends one request and reads its stream; failures of the request are part of the record.
 * @param n number of the request
 * @param signal ends the run
 * @throws for a programming error only
 */
export async function sendRequest(
  { target, dispatcher, now }: Sender,
  n: number,
  dueAtMs: number,
  signal: AbortSignal,
): Promise<RequestRecord> {
  const tally = createTally()
  const deadline = startDeadline(target.timeoutMs, signal)
  try {
    await exchange(target, dispatcher, n, deadline.signal, tally, now)
    return recordOf({ type: 'ok' })
  } catch (error) {
    // What breaks after the end of the answer does not matter.
    if (tally.wholeAtMs !== undefined) return recordOf({ type: 'ok' })
    if (signal.aborted) return recordOf({ type: 'stopped' })
    return recordOf({ type: 'failed', code: deadline.expired ? 'timeout' : codeOf(error) })
  } finally {
    deadline.release()
  }

  function recordOf(outcome: Outcome): RequestRecord {
    return { outcome, dueAtMs, endedAtMs: tally.wholeAtMs ?? now(), tally }
  }
}

interface Sender {
  readonly target: LoadTarget
  readonly dispatcher: Dispatcher
  readonly now: () => number
}

async function exchange(
  { url, key, api }: LoadTarget,
  dispatcher: Dispatcher,
  n: number,
  signal: AbortSignal,
  tally: StreamTally,
  now: () => number,
): Promise<void> {
  // Redirects are not followed: the load goes where it was sent and nowhere else.
  const { statusCode, body } = await dispatcher.request({
    origin: url.origin,
    path: pathOf(url, api),
    method: 'POST',
    headers: api.headers(key),
    body: api.body(n),
    signal,
  })
  if (statusCode === 200) return readAnswer(body, api, tally, now)
  const bytes = await readLimited(body, new ByteBudget(maxErrorBytes), signal)
  throw new AnswerError(errorCodeIn(new TextDecoder().decode(bytes), `http_${statusCode}`))
}

/** A base URL may end with `/v1`, as is usual for clients of OpenAI's API. */
function pathOf({ pathname }: URL, { path }: LoadApi): string {
  return pathname.replace(/\/(v1\/?)?$/, '') + path
}

function codeOf(error: unknown): string {
  if (error instanceof AnswerError) return error.code
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code === 'string' && systemCode.test(code)) return code
  throw error
}
