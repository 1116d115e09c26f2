import type { Asked, ImageSource, Part, Turn } from '../../conversation/conversation.ts'
import { rulesOf } from '../doors/generation-fields.ts'
import type { GenerateFields } from '../request/request.ts'
import { formatOf } from '../request/response-format.ts'

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
    ...rulesOf(fields),
    format: formatOf(fields.response_format),
    maxTokens: fields.max_tokens,
  }
}

function textPart(text: string): Part {
  return { type: 'text', text }
}
