import { inTime } from '../../describe/answer-limits.ts'
import type { CountRequest, Describer } from '../../describe.ts'
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

  return {
    describe: (request, signal) =>
      inTime(request, signal, (deadline) => new ClusterAnswer(request, deadline, parts).events()),
    count,
  }
}
