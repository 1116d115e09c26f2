import type { Asked, ImageSource, Part, Turn } from '../../conversation/conversation.ts'
import type { GenerateFields } from '../request/request.ts'
import { formatOf } from '../request/response-format.ts'
import { samplingOf } from '../request/sampling-fields.ts'

/**
 * A request of the native routes as a conversation: the system prompt, then all images, then the prompt.
 * @param param the field that the images came in
 */
export function askedNatively(
  fields: GenerateFields,
  images: readonly ImageSource[],
  param: string,
): Asked {
  const { prompt, system_prompt: system } = fields
  const looks = images.map((source): Part => ({ type: 'image', source, detail: 'high', param }))
  const user: Turn = { role: 'user', parts: [...looks, { type: 'text', text: prompt }] }
  return {
    turns: system === undefined ? [user] : [{ role: 'system', parts: [textPart(system)] }, user],
    sampling: samplingOf(fields),
    stop: fields.stop,
    choices: fields.n,
    format: formatOf(fields.response_format),
    topLogprobs: fields.logprobs ? (fields.top_logprobs ?? 0) : undefined,
    maxTokens: fields.max_tokens,
    timeoutMs: fields.timeout_ms,
    priority: fields.priority,
  }
}

function textPart(text: string): Part {
  return { type: 'text', text }
}
