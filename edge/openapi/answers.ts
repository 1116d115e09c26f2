import * as z from 'zod'
import { type ErrorBody, type ErrorCode, errorKinds } from '../../shared/api/errors.ts'
import type { AnswerUsage, ChoiceAnswer, GenerateAnswer, Timings } from '../../shared/api/events.ts'
import type { StreamEvents } from '../../shared/api/wire/sse.ts'
import type { Health } from '../routes/health/ask-backend.ts'

/** Schemas of answers, for the document alone; `satisfies` holds each to the type in the code. */

const codes = Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]]
const types = Object.values(errorKinds).map(({ type }) => type)

export const errorView = z.object({
  error: z.object({
    message: z.string(),
    type: z.enum(types),
    param: z.string().nullable(),
    code: z.enum(codes),
    request_id: z.string(),
  }),
}) satisfies z.ZodType<ErrorBody>

export const count = z.int().min(0)
const ms = z.number().min(0)

const usage = z.object({
  prompt_tokens: count,
  image_tokens: count,
  completion_tokens: count,
  cached_tokens: count,
  reasoning_tokens: z.exactOptional(count),
}) satisfies z.ZodType<AnswerUsage>

export const nativeTimings = z.object({
  prepare_ms: ms,
  queue_ms: ms,
  vision_ms: ms,
  prefill_ms: ms,
  decode_ms: ms,
  total_ms: ms,
}) satisfies z.ZodType<Timings>

const token = z.object({ token: z.string(), id: count, logprob: z.number() })
const logprobs = z.array(token.extend({ top: z.array(token) }))
const finishReason = z.enum(['stop', 'length', 'timeout'])

const choice = z.object({
  output: z.string(),
  reasoning: z.exactOptional(z.string()),
  finish_reason: finishReason,
  logprobs: z.exactOptional(logprobs),
}) satisfies z.ZodType<ChoiceAnswer>

export const generateAnswer = choice.extend({
  outputs: z.exactOptional(z.array(choice)),
  usage,
  timings: nativeTimings,
  request_id: z.string(),
}) satisfies z.ZodType<GenerateAnswer>

export const streamQueued = z.object({
  request_id: z.string(),
  position: count,
}) satisfies z.ZodType<StreamEvents['queued']>

export const streamReasoning = z.object({
  index: z.exactOptional(count),
  text: z.string(),
}) satisfies z.ZodType<StreamEvents['reasoning']>

export const streamDelta = z.object({
  index: z.exactOptional(count),
  text: z.string(),
  logprobs: z.exactOptional(logprobs),
}) satisfies z.ZodType<StreamEvents['delta']>

export const streamEnd = z.object({
  finish_reason: finishReason,
  finish_reasons: z.exactOptional(z.array(finishReason)),
  usage,
  timings: nativeTimings,
  request_id: z.string(),
}) satisfies z.ZodType<StreamEvents['end']>

export const healthView = z.union([
  z.object({ status: z.literal('healthy') }),
  z.object({
    status: z.literal('unavailable'),
    reason: z.enum(['model_loading', 'engine_restarting', 'shutting_down', 'backend_unreachable']),
  }),
]) satisfies z.ZodType<Health>

export const aliveView = z.object({ status: z.literal('alive') })

export const indexView = z.object({
  name: z.string(),
  description: z.string(),
  docs: z.string(),
  routes: z.array(z.string()),
})

export const readinessView = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.record(z.string(), z.boolean()),
})

export const removedKeyView = z.object({ id: z.string(), removed: z.literal(true) })
