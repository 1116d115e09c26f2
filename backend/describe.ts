import type { GenerationEvent, Timings } from '../shared/api/events.ts'
import type { Engine, EngineTimings, GenerateJob } from './engine/job.ts'
import type { Message, PreparedPrompt, Processor } from './processor/processor.ts'

/** One question, already checked. Undefined values take the server's defaults. */
export interface DescribeRequest {
  readonly requestId: string
  readonly prompt: string
  readonly systemPrompt: string | undefined
  /** Whole image files, in the order the model shall see them. */
  readonly images: readonly Uint8Array[]
  readonly maxTokens: number | undefined
  readonly temperature: number
  readonly topP: number
  readonly seed: number | undefined
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
    const startedAt = now()
    const prepared = await processor.prepare(messagesOf(request), request.images, signal)
    const prepareMs = now() - startedAt

    const detokenizer = processor.createDetokenizer()
    for await (const event of engine.generate(jobOf(request, prepared, parts), signal)) {
      switch (event.type) {
        case 'queued':
          yield event
          break
        case 'tokens':
          yield* delta(detokenizer.push(event.ids))
          break
        case 'end':
          yield* delta(detokenizer.flush())
          yield {
            type: 'end',
            finishReason: event.finishReason,
            usage: {
              prompt_tokens: prepared.promptIds.length,
              image_tokens: prepared.imageTokens,
              completion_tokens: event.completionTokens,
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
  { processor, randomSeed, defaultMaxTokens }: DescriberParts,
): GenerateJob {
  return {
    id: request.requestId,
    promptIds,
    images,
    maxTokens: request.maxTokens ?? defaultMaxTokens,
    stopIds: processor.stopIds,
    controlIdsFrom: processor.controlIdsFrom,
    sampling: {
      temperature: request.temperature,
      topP: request.topP,
      seed: request.seed ?? randomSeed(),
    },
  }
}

/** A batch of tokens may end inside a character and yield no text yet; then there is nothing to tell. */
function* delta(text: string): Generator<GenerationEvent> {
  if (text !== '') yield { type: 'delta', text }
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
