import { randomUUID } from 'node:crypto'
import { startDeadline, type Deadline } from '../shared/async/deadline.ts'
import { ServiceError } from '../shared/api/errors.ts'
import type { GenerationEvent, Timings, Usage } from '../shared/api/events.ts'
import { maxLogprobs } from '../shared/api/limits.ts'
import type { AnswerFormat } from '../shared/api/response-format.ts'
import type { Sampling } from '../shared/api/sampling-fields.ts'
import { ChoiceTexts } from './choice-texts.ts'
import type { Engine, EngineTimings, GenerateJob, JobPriority } from './engine/job.ts'
import type { Grammar } from './grammar/grammar.ts'
import type { FormatCompiler } from './processor/format-compiler.ts'
import type { Message, PreparedPrompt, Processor } from './processor/processor.ts'

/** One question, already checked. Undefined values take the server's defaults. */
export interface DescribeRequest {
  readonly requestId: string
  /** Whom the answer is for, as tenant.ts names it. */
  readonly tenant: string
  readonly priority: JobPriority
  /** Milliseconds; then the answer ends with what it has. */
  readonly timeoutMs: number
  readonly prompt: string
  readonly systemPrompt: string | undefined
  /** Whole image files, in the order the model shall see them. */
  readonly images: readonly Uint8Array[]
  readonly maxTokens: number | undefined
  /** Most tokens of prompt, images and all answers together; unlimited unless given. */
  readonly grantedTokens?: number | undefined
  /** The rules by which tokens are drawn; without a seed, one is made up. */
  readonly sampling: Sampling
  /** Texts that end the answer and are not part of it. */
  readonly stop?: readonly string[] | undefined
  /** Answers to give, 1 unless given. */
  readonly choices?: number | undefined
  /** What the text of each answer has to be; any text unless given. */
  readonly format?: AnswerFormat | undefined
  /** When given, log probabilities are told, with so many alternatives each. */
  readonly topLogprobs?: number | undefined
  /** Told as tokens come, what the answer has used so far; the final count may be lower. */
  readonly onUsage?: ((usage: Usage) => void) | undefined
}

interface DescriberParts {
  readonly processor: Processor
  readonly formats: Pick<FormatCompiler, 'compile'>
  readonly engine: Engine
  /** Milliseconds on a clock that never jumps. */
  readonly now: () => number
  readonly randomSeed: () => number
  readonly defaultMaxTokens: number
}

/** The product: text and image files in, text out. Aborting `signal` or leaving the loop frees everything it holds. */
export type Describe = (
  request: DescribeRequest,
  signal: AbortSignal,
) => AsyncIterable<GenerationEvent>

export function createDescriber(parts: DescriberParts): Describe {
  const { processor, formats, engine, now } = parts

  return async function* describe(request, signal) {
    const deadline = startDeadline(request.timeoutMs, signal)
    try {
      yield* answer(request, deadline)
    } catch (thrown) {
      throw deadline.expired ? tooLate(request) : thrown
    } finally {
      deadline.release()
    }
  }

  async function* answer(
    request: DescribeRequest,
    deadline: Deadline,
  ): AsyncGenerator<GenerationEvent> {
    const { signal } = deadline
    const startedAt = now()
    checkLogprobs(request, parts.defaultMaxTokens)
    const { tenant, images } = request
    const caller = { tenant, signal }
    const format = request.format && (await formats.compile(request.format, caller))
    const prepared = await processor.prepare(messagesOf(request), images, caller)
    const prepareMs = now() - startedAt
    const leftMs = Math.max(1, request.timeoutMs - prepareMs)

    const { choices = 1, stop: stops = [], topLogprobs } = request
    const withLogprobs = topLogprobs !== undefined
    const texts = new ChoiceTexts(processor, { choices, stops, withLogprobs })
    const promptUsage = {
      prompt_tokens: prepared.promptIds.length,
      image_tokens: prepared.imageTokens,
    }
    const generation = engine.generate(jobOf({ request, prepared, format, leftMs }, parts), signal)
    let sampledTokens = 0
    for await (const event of generation) {
      switch (event.type) {
        case 'queued':
          yield event
          break
        case 'tokens':
          // From now on there is an answer to give, and the engine ends it in time.
          deadline.stopClock()
          sampledTokens += event.ids.length
          request.onUsage?.({ ...promptUsage, completion_tokens: sampledTokens })
          yield* texts.push(event)
          if (texts.stopped(event.choice)) generation.stop(event.choice)
          break
        case 'end':
          yield* texts.flush()
          yield {
            type: 'end',
            finishReasons: texts.finishReasons(event.finishReasons),
            usage: {
              ...promptUsage,
              completion_tokens: event.completionTokens - texts.ignoredTokens,
              cached_tokens: event.cachedTokens,
            },
            timings: timingsOf(event.timings, prepareMs, now() - startedAt),
          }
          break
      }
    }
  }
}

/** The one order every request is brought into: the system text, then all images, then the prompt. */
function messagesOf(request: DescribeRequest): Message[] {
  const user: Message = {
    role: 'user',
    content: [
      ...request.images.map(() => ({ type: 'image' }) as const),
      { type: 'text', text: request.prompt },
    ],
  }
  if (request.systemPrompt === undefined) return [user]
  return [{ role: 'system', content: [{ type: 'text', text: request.systemPrompt }] }, user]
}

interface Prepared {
  readonly request: DescribeRequest
  readonly prepared: PreparedPrompt
  readonly format: Grammar | undefined
  readonly leftMs: number
}

function jobOf(
  { request, prepared: { promptIds, images }, format, leftMs }: Prepared,
  { processor, randomSeed, defaultMaxTokens }: DescriberParts,
): GenerateJob {
  return {
    id: randomUUID(),
    tenant: request.tenant,
    priority: request.priority,
    timeoutMs: leftMs,
    promptIds,
    images,
    maxTokens: request.maxTokens ?? defaultMaxTokens,
    grantedTokens: request.grantedTokens,
    stopIds: processor.stopIds,
    controlIdsFrom: processor.controlIdsFrom,
    sampling: { ...request.sampling, seed: request.sampling.seed ?? randomSeed() },
    choices: request.choices,
    topLogprobs: request.topLogprobs,
    format,
  }
}

/** @throws {ServiceError} `invalid_field` when the answer might be too large */
function checkLogprobs(
  { choices = 1, maxTokens, topLogprobs }: DescribeRequest,
  defaultMaxTokens: number,
): void {
  if (topLogprobs === undefined) return
  const tokens = maxTokens ?? defaultMaxTokens
  const told = choices * tokens * (1 + topLogprobs)
  if (told <= maxLogprobs) return
  const message = `max_tokens: n (${choices}) times max_tokens (${tokens}) times 1 + top_logprobs (${1 + topLogprobs}) is ${told}, more than the ${maxLogprobs} log probabilities that one answer may have`
  throw new ServiceError('invalid_field', message, { param: 'max_tokens' })
}

function tooLate({ timeoutMs }: DescribeRequest): ServiceError {
  const message = `No answer could be begun within ${Math.round(timeoutMs)} ms`
  return new ServiceError('deadline_exceeded', message)
}

function timingsOf(engine: EngineTimings, prepareMs: number, totalMs: number): Timings {
  return {
    prepare_ms: roundMs(prepareMs),
    queue_ms: roundMs(engine.queueMs),
    vision_ms: roundMs(engine.visionMs),
    prefill_ms: roundMs(engine.prefillMs),
    decode_ms: roundMs(engine.decodeMs),
    total_ms: roundMs(totalMs),
  }
}

/** To a tenth of a millisecond: finer digits are noise. */
function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10
}
