import { request, type Dispatcher } from 'undici'
import { abortError } from '../../engine/abort-error.ts'
import { readAnswer, type AnswerPart, type Expected } from './answer-reader.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import { headersOf, type EngineTarget } from '../engine/engine-target.ts'
import { Patience } from './patience.ts'
import { problemOf } from './refused-answer.ts'
import { readEvents } from './sse-reader.ts'
import type { TimeLimits } from '../engine/time-limits.ts'

/** What is sent, and what is expected of the answer. */
export interface EngineRequest {
  readonly body: string
  readonly expected: Expected
}

/** Bytes after the end of an answer that are read to keep the connection. */
const restBytes = 4_096

/** Milliseconds that this may take. */
const restMs = 500

/**
 * One request to one engine, and its answer to the end. Leaving the loop and aborting `signal` close the connection,
 * which is how an engine learns that nobody waits any more.
 * @throws {EngineProblem} for whatever the engine does, and a ServiceError when `signal` was aborted
 */
export async function* askEngine(
  target: EngineTarget,
  { body, expected }: EngineRequest,
  limits: TimeLimits,
  signal: AbortSignal,
): AsyncGenerator<AnswerPart> {
  const patience = new Patience(limits, signal)
  let stream: Dispatcher.ResponseData['body'] | undefined
  try {
    patience.wait('headers')
    const response = await send(target, body, patience.signal)
    stream = response.body
    if (response.statusCode !== 200) throw await problemOf(response)
    checkType(response)
    const bytes = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    yield* withPatience(readAnswer(readEvents(bytes), expected), patience)
    const rest = stream
    stream = undefined
    await drain(rest)
  } catch (thrown) {
    if (signal.aborted) throw abortError(signal)
    throw patience.problem ?? asProblem(thrown, stream !== undefined)
  } finally {
    stream?.on('error', () => {}).destroy()
    patience.end()
  }
}

function send(
  { baseUrl, agent, ...target }: EngineTarget,
  body: string,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  return request(`${baseUrl}/v1/chat/completions`, {
    method: 'POST',
    dispatcher: agent,
    headers: {
      ...headersOf(target),
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body,
    signal,
    // Both are Patience's affair.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

function checkType({ headers }: Dispatcher.ResponseData): void {
  const type = String(headers['content-type'] ?? '')
    .split(';', 1)[0]!
    .trim()
    .toLowerCase()
  if (type === 'text/event-stream') return
  throw new EngineProblem('fault', 'the answer is not a stream of events')
}

async function* withPatience(
  parts: AsyncGenerator<AnswerPart>,
  patience: Patience,
): AsyncGenerator<AnswerPart> {
  let phase: 'first_token' | 'gap' = 'first_token'
  try {
    for (;;) {
      patience.wait(phase)
      const next = await parts.next()
      patience.rest()
      if (next.done === true) return
      phase = 'gap'
      yield next.value
    }
  } finally {
    patience.rest()
  }
}

/** Reads what follows the end, so that the connection can be used again; or closes it. */
async function drain(body: Dispatcher.ResponseData['body']): Promise<void> {
  await body.dump({ limit: restBytes, signal: AbortSignal.timeout(restMs) }).catch(() => {
    body.destroy()
  })
}

/** @param hasHead whether the engine had begun to answer */
function asProblem(thrown: unknown, hasHead: boolean): EngineProblem {
  if (thrown instanceof EngineProblem) return thrown
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
  if (hasHead)
    return new EngineProblem('broken', `the connection ended: ${code}`, { cause: thrown })
  const notSent = notConnected.has(code)
  const what = notSent ? 'no connection' : 'the connection ended before the answer'
  return new EngineProblem(notSent ? 'unreachable' : 'fault', `${what}: ${code}`, { cause: thrown })
}

/** Codes with which a connection fails before anything was sent over it. */
const notConnected: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])
