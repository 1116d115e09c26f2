import { startDeadline } from '../../../shared/async/deadline.ts'
import type { GenerationEvent } from '../../../shared/api/events.ts'
import { tooLate } from '../../answer-limits.ts'
import type { CountRequest, DescribeRequest, Describer } from '../../describe.ts'
import { withoutThoughts } from '../../processor/text/without-thoughts.ts'
import { ClusterAnswer, type AnswerParts } from './cluster-answer.ts'

/** The product with engines elsewhere: a conversation in, text out. */
export function createClusterDescriber(parts: AnswerParts): Describer {
  async function count({ tenant, messages, images }: CountRequest, signal: AbortSignal) {
    const caller = { tenant, signal }
    const { normalizer, reasons } = parts
    const asked = reasons ? withoutThoughts(messages) : messages
    const { promptTokens } = await normalizer.normalize(asked, images, caller)
    return promptTokens
  }

  async function* describe(
    request: DescribeRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerationEvent> {
    const deadline = startDeadline(request.timeoutMs, signal)
    try {
      yield* new ClusterAnswer(request, deadline, parts).events()
    } catch (thrown) {
      throw deadline.expired ? tooLate(request) : thrown
    } finally {
      deadline.release()
    }
  }

  return { describe, count }
}
