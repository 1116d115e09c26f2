import { randomUUID } from 'node:crypto'
import { startDeadline, type Deadline } from '../shared/async/deadline.ts'
import { ServiceError } from '../shared/api/errors.ts'
import type { GenerationEvent, Timings, Usage } from '../shared/api/events.ts'
import { ChoiceText, type TextPart } from './choice-text.ts'
import type {
  Engine,
  EngineEvent,
  EngineTimings,
  GenerateJob,
  JobPriority,
  SamplingParams,
} from './engine/job.ts'
import type { Message, PreparedPrompt, Processor } from './processor/processor.ts'

/** One question, already checked. Undefined values take the server's defaults. */
export interface DescribeRequest extends Omit<SamplingParams, 'seed'> {
  readonly requestId: string
  /** Whom the answer is for: an API key's id or a client certificate's name. */
  readonly tenant: string
  readonly priority: JobPriority
  /** Milliseconds; then the answer ends with what it has. */
  readonly timeoutMs: number
  readonly prompt: string
  readonly systemPrompt: string | undefined
  /** Whole image files, in the order the model shall see them. */
  readonly images: readonly Uint8Array[]
  readonly maxTokens: number | undefined
  readonly seed: number | undefined
  /** Texts that end the answer and are not part of it. */
  readonly stop?: readonly string[] | undefined
  /** Answers to give, 1 unless given. */
  readonly choices?: number | undefined
  /** When given, log probabilities are told, with so many alternatives each. */
  readonly topLogprobs?: number | undefined
  /** Told as tokens come, what the answer has used so far; the final count may be lower. */
  readonly onUsage?: ((usage: Usage) => void) | undefined
}

interface DescriberParts {
  readonly processor: Processor
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
  const { processor, engine, now } = parts

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
    const { tenant, images } = request
    const prepared = await processor.prepare(messagesOf(request), images, { tenant, signal })
    const prepareMs = now() - startedAt
    const leftMs = Math.max(1, request.timeoutMs - prepareMs)

    const texts = Array.from(
      { length: request.choices ?? 1 },
      () => new ChoiceText(processor, request.stop ?? []),
    )
    const enough = texts.map(() => new AbortController())
    const ends = enough.map((choice) => choice.signal)
    let sampledTokens = 0
    for await (const event of engine.generate(
      jobOf(request, prepared, leftMs, parts),
      signal,
      ends,
    )) {
      switch (event.type) {
        case 'queued':
          yield event
          break
        case 'tokens':
          // From now on there is an answer to give, and the engine ends it in time.
          deadline.stopClock()
          sampledTokens += event.ids.length
          request.onUsage?.({
            prompt_tokens: prepared.promptIds.length,
            image_tokens: prepared.imageTokens,
            completion_tokens: sampledTokens,
          })
          yield* deltaOf(
            request,
            event.choice,
            texts[event.choice]!.push(event.ids, event.logprobs),
          )
          if (texts[event.choice]!.stopped) enough[event.choice]!.abort()
          break
        case 'end':
          for (const [choice, text] of texts.entries()) {
            yield* deltaOf(request, choice, text.flush())
          }
          yield {
            type: 'end',
            ...finishReasonsOf(event, texts),
            usage: {
              prompt_tokens: prepared.promptIds.length,
              image_tokens: prepared.imageTokens,
              completion_tokens: texts.reduce(
                (tokens, text) => tokens - text.ignoredTokens,
                event.completionTokens,
              ),
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

function jobOf(
  request: DescribeRequest,
  { promptIds, images }: PreparedPrompt,
  timeoutMs: number,
  { processor, randomSeed, defaultMaxTokens }: DescriberParts,
): GenerateJob {
  return {
    id: randomUUID(),
    tenant: request.tenant,
    priority: request.priority,
    timeoutMs,
    promptIds,
    images,
    maxTokens: request.maxTokens ?? defaultMaxTokens,
    stopIds: processor.stopIds,
    controlIdsFrom: processor.controlIdsFrom,
    sampling: {
      temperature: request.temperature,
      topP: request.topP,
      seed: request.seed ?? randomSeed(),
      topK: request.topK,
      minP: request.minP,
      repetitionPenalty: request.repetitionPenalty,
      presencePenalty: request.presencePenalty,
      frequencyPenalty: request.frequencyPenalty,
      logitBias: request.logitBias,
    },
    choices: request.choices,
    topLogprobs: request.topLogprobs,
  }
}

function tooLate({ timeoutMs }: DescribeRequest): ServiceError {
  const message = `No answer could be begun within ${Math.round(timeoutMs)} ms`
  return new ServiceError('deadline_exceeded', message)
}

/** A batch of tokens may end inside a character or a stop string and yield no text yet; then there is nothing to tell. */
function* deltaOf(
  { choices = 1, topLogprobs }: DescribeRequest,
  index: number,
  { text, logprobs }: TextPart,
): Generator<GenerationEvent> {
  if (text === '' && logprobs.length === 0) return
  yield {
    type: 'delta',
    ...(choices > 1 && { index }),
    text,
    ...(topLogprobs !== undefined && { logprobs }),
  }
}

/** The engine's, but `stop` wherever a stop string came, were it with the very last token. */
function finishReasonsOf(
  { finishReason, finishReasons = [finishReason] }: Extract<EngineEvent, { type: 'end' }>,
  texts: readonly ChoiceText[],
) {
  const reasons = finishReasons.map((reason, choice) => (texts[choice]!.stopped ? 'stop' : reason))
  return { finishReason: reasons[0]!, ...(reasons.length > 1 && { finishReasons: reasons }) }
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
