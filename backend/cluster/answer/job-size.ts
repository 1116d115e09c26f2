import { createHash } from 'node:crypto'
import { textAffinity } from '../../../shared/balance/affinity.ts'
import type { DescribeRequest } from '../../describe.ts'
import { answerTokensOf, tokenLimitOf } from '../../engine/queue/admission.ts'
import { workPerImageToken, workPerSampledToken } from '../../engine/queue/work.ts'
import type { NormalizedPrompt } from '../../processor/create-normalizer.ts'

/** How long each choice of an answer may be. */
export interface TokenLimits {
  readonly maxTokens: number
  /** Whether that is what the context has room for, rather than what was requested. */
  readonly contextBound: boolean
}

interface LimitOptions {
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number
  readonly defaultMaxTokens: number
}

/**
 * What was requested, within the context and what is granted to all choices together. An engine takes a single limit
 * for all of them, so each gets an equal part of the grant.
 * @throws {ServiceError} `context_length_exceeded`, `quota_exceeded`
 */
export function tokenLimits(
  { maxTokens: asked, choices, grantedTokens }: DescribeRequest,
  promptTokens: number,
  { contextTokens, defaultMaxTokens }: LimitOptions,
): TokenLimits {
  const wanted = asked ?? defaultMaxTokens
  const granted = answerTokensOf(promptTokens, grantedTokens)
  const inContext = tokenLimitOf({ promptTokens, maxTokens: wanted, contextTokens })
  const maxTokens = Math.min(inContext, Math.max(1, Math.floor(granted / choices)))
  return { maxTokens, contextBound: maxTokens < wanted && maxTokens === inContext }
}

/** Work that was done, once the engine had read the prompt. */
export function actualWork(
  { promptTokens, imageTokens }: NormalizedPrompt,
  completionTokens: number,
): number {
  return promptTokens + workPerImageToken * imageTokens + workPerSampledToken * completionTokens
}

/** Jobs about the same picture, or else with the same system prompt, go to the engine that has it in its caches. */
export function affinityOf({ pictures, messages }: NormalizedPrompt): string | undefined {
  const [picture] = pictures
  if (picture !== undefined) return `image:${createHash('sha256').update(picture).digest('base64')}`
  const [first] = messages
  const part = first?.role === 'system' ? first.content[0] : undefined
  return part?.type === 'text' ? textAffinity({ prompt: part.text }) : undefined
}
