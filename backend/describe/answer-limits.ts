import { ServiceError } from '../../shared/api/errors.ts'
import { maxLogprobs } from '../../shared/api/limits.ts'
import type { GenerationEvent } from '../../shared/api/events.ts'
import { startDeadline, type Deadline } from '../../shared/async/deadline.ts'
import type { Asked } from '../../shared/conversation/conversation.ts'

/** @throws {ServiceError} `invalid_field` when the answer could be too large */
export function checkLogprobs(
  { choices, maxTokens, topLogprobs }: Pick<Asked, 'choices' | 'maxTokens' | 'topLogprobs'>,
  defaultMaxTokens: number,
): void {
  if (topLogprobs === undefined) return
  const tokens = maxTokens ?? defaultMaxTokens
  const count = choices * tokens * (1 + topLogprobs)
  if (count <= maxLogprobs) return
  const message = `max_tokens: n (${choices}) times max_tokens (${tokens}) times 1 + top_logprobs (${1 + topLogprobs}) is ${count}, more than the ${maxLogprobs} log probabilities that one answer may have`
  throw new ServiceError('invalid_field', message, { param: 'max_tokens' })
}

/** The error when time is up and no answer has begun. */
export function tooLate({ timeoutMs }: { readonly timeoutMs: number }): ServiceError {
  const message = `No answer could be started within ${Math.round(timeoutMs)} ms`
  return new ServiceError('deadline_exceeded', message)
}

/**
 * The events of an answer, which ends with what it has when time is up.
 * @throws {ServiceError} `deadline_exceeded` when it has nothing by then
 */
export async function* inTime(
  request: { readonly timeoutMs: number },
  signal: AbortSignal,
  answer: (deadline: Deadline) => AsyncIterable<GenerationEvent>,
): AsyncGenerator<GenerationEvent> {
  const deadline = startDeadline(request.timeoutMs, signal)
  try {
    yield* answer(deadline)
  } catch (thrown) {
    throw deadline.expired ? tooLate(request) : thrown
  } finally {
    deadline.release()
  }
}
