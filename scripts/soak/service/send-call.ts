import { errors as undiciErrors, type Dispatcher } from 'undici'
import * as z from 'zod'
import { startDeadline } from '../../../shared/async/deadline.ts'
import type { SoakCall } from './call.ts'
import { readStream, readWhole, type SoakAnswer } from './read-answer.ts'
import { errorText } from '../../../shared/log/error-text.ts'

/** How a request ended from the client's point of view. */
export type Outcome =
  | ({ readonly type: 'answered' } & SoakAnswer)
  | { readonly type: 'left' }
  | { readonly type: 'refused'; readonly code: string }
  /** Anything else: a connection or stream that broke off, or something that is not an answer. */
  | { readonly type: 'broken'; readonly why: string }

/** Anthropic's format has the code among the details. */
const refusal = z.object({
  error: z.union([
    z.object({ code: z.string() }).transform(({ code }) => code),
    z
      .object({ details: z.object({ error_code: z.string() }) })
      .transform(({ details }) => details.error_code),
  ]),
})

interface SoakClient {
  readonly url: string
  readonly key: string
  /** Milliseconds after which it leaves; undefined if it stays. */
  readonly stayMs: number | undefined
}

/** Milliseconds after which a client that stays gives up. */
const patienceMs = 600_000

/** Sends one request and reads its answer, unless its client leaves before. */
export async function sendCall(
  { url, key, stayMs }: SoakClient,
  call: SoakCall,
  dispatcher: Dispatcher,
): Promise<Outcome> {
  const stay = startDeadline(stayMs ?? patienceMs)
  try {
    const { statusCode, body } = await dispatcher.request({
      origin: url,
      path: call.path,
      method: 'POST',
      headers: {
        'x-api-key': key,
        ...(typeof call.body === 'string' && { 'content-type': 'application/json' }),
      },
      body: call.body,
      signal: stay.signal,
    })
    if (statusCode !== 200) {
      return { type: 'refused', code: refusal.parse(await body.json()).error }
    }
    const answer = call.stream
      ? await readStream(call.answer, body)
      : readWhole(call.answer, await body.json())
    return { type: 'answered', ...answer }
  } catch (error) {
    if (stay.expired && stayMs !== undefined) return { type: 'left' }
    return { type: 'broken', why: whyOf(error) }
  } finally {
    stay.release()
  }
}

function whyOf(error: unknown): string {
  if (error instanceof undiciErrors.UndiciError) return `${error.code}: ${error.message}`
  return errorText(error)
}
