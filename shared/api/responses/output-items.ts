import { openAiLogprobs } from '../doors/openai-logprobs.ts'
import type { SampledLogprob } from '../events.ts'

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

/** One item of a response's output, possibly incomplete: what the model thought, or what it answered. */
export interface OutputItem {
  readonly type: 'reasoning' | 'message'
  readonly text: string
  /** Empty unless requested. */
  readonly logprobs: readonly SampledLogprob[]
}

/** The first part of the names of an item's events, after `response.`; also the type of its only part. */
export const partTypes = { reasoning: 'reasoning_text', message: 'output_text' } as const

export function itemId(type: OutputItem['type'], requestId: string): string {
  return `${type === 'message' ? 'msg' : 'rs'}_${requestId}`
}

/** @param parts none while it has only begun */
export function itemView(
  type: OutputItem['type'],
  requestId: string,
  status: ItemStatus,
  parts: readonly object[],
): object {
  const head = { id: itemId(type, requestId), type, status }
  return type === 'message'
    ? { ...head, role: 'assistant', content: parts }
    : { ...head, summary: [], content: parts }
}

export function partView({ type, text, logprobs }: OutputItem): object {
  const part = { type: partTypes[type], text }
  return type === 'message'
    ? { ...part, annotations: [], logprobs: openAiLogprobs(logprobs) }
    : part
}
