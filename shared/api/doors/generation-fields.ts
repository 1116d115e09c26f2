import * as z from 'zod'
import type { Asked } from '../../conversation/conversation.ts'
import { samplingFields, samplingOf } from '../request/sampling-fields.ts'

/** Fields shared by all APIs, under their most common names; some are our own, and accepted everywhere. */
export const doorFields = {
  model: z.string().optional(),
  stream: z.boolean().default(false),
  ...samplingFields,
  timeout_ms: z.int().min(1).optional(),
  priority: z.enum(['interactive', 'batch']).default('interactive'),
}

export const tokenLimit = z.int().min(1).optional()

type RuleFields = Omit<z.infer<z.ZodObject<typeof doorFields>>, 'model' | 'stream'>

/** Everything about a conversation except its turns, its format and its length. */
export function rulesOf(fields: RuleFields): Omit<Asked, 'turns' | 'format' | 'maxTokens'> {
  return {
    sampling: samplingOf(fields),
    stop: fields.stop,
    choices: fields.n,
    topLogprobs: fields.logprobs ? (fields.top_logprobs ?? 0) : undefined,
    timeoutMs: fields.timeout_ms,
    priority: fields.priority,
  }
}
