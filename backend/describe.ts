import { randomUUID } from 'node:crypto'
import { startDeadline, type Deadline } from '../shared/async/deadline.ts'
import type { GenerationEvent, Usage } from '../shared/api/events.ts'
import type { Asked } from '../shared/conversation/conversation.ts'
import { checkLogprobs, tooLate } from './answer-limits.ts'
import { ChoiceTexts } from './choice-texts.ts'
import type { Engine, EnginePhase, GenerateJob } from './engine/job.ts'
import type { Grammar } from './grammar/grammar.ts'
import type { FormatCompiler } from './processor/tasks/format-compiler.ts'
import type { Message, PreparedPrompt, Processor } from './processor/processor.ts'
import { withoutThoughts } from './processor/text/without-thoughts.ts'
import { timingsOf } from './timings.ts'

/** One conversation to continue, already validated, with its images. */
export interface DescribeRequest extends Omit<Asked, 'turns'> {
  /** The tenant the answer is for, as named by tenant.ts. */
  readonly tenant: string
  /** Milliseconds after which the answer ends with what it has. */
  readonly timeoutMs: number
  readonly messages: readonly Message[]
  /** Whole image files, in the order of their placeholders in the messages. */
  readonly images: readonly Uint8Array[]
  /** The most tokens of prompt, images and all answers together; unlimited unless given. */
  readonly grantedTokens?: number | undefined
  /** Called as tokens of a choice arrive, with what all have used so far; the final count may be lower. */
  readonly onUsage?: ((usage: Usage, choice: number) => void) | undefined
  /** Called as the request comes to a phase. @param epochMs when that was; unless given, it is now */
  readonly onPhase?: ((phase: DescribePhase, epochMs?: number) => void) | undefined
}

/** What happens to a request: texts and images are prepared, then the engine has it. */
export type DescribePhase = 'prepare' | EnginePhase

interface DescriberParts {
  readonly processor: Processor
  readonly formats: Pick<FormatCompiler, 'compile'>
  readonly engine: Engine
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
  readonly randomSeed: () => number
  readonly defaultMaxTokens: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
}

/** A conversation whose tokens are to be counted. */
export type CountRequest = Pick<DescribeRequest, 'tenant' | 'messages' | 'images'>

/** The product: a conversation in, text out. */
export interface Describer {
  /** Aborting `signal` or leaving the loop frees everything it holds. */
  readonly describe: Describe
  /** Tokens of the prompt that the conversation makes, exactly. */
  readonly count: (request: CountRequest, signal: AbortSignal) => Promise<number>
}

export type Describe = (
  request: DescribeRequest,
  signal: AbortSignal,
) => AsyncIterable<GenerationEvent>

export function createDescriber(parts: DescriberParts): Describer {
  const { processor, formats, engine, now, reasons } = parts

  const prepare: Processor['prepare'] = (messages, ...rest) =>
    processor.prepare(reasons ? withoutThoughts(messages) : messages, ...rest)

  async function count({ tenant, messages, images }: CountRequest, signal: AbortSignal) {
    const { promptIds } = await prepare(messages, images, { tenant, signal })
    return promptIds.length
  }

  async function* describe(
    request: DescribeRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerationEvent> {
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
    request.onPhase?.('prepare')
    checkLogprobs(request, parts.defaultMaxTokens)
    const { tenant, messages, images } = request
    const caller = { tenant, signal }
    const format = request.format && (await formats.compile(request.format, caller))
    const prepared = await prepare(messages, images, caller)
    const prepareMs = now() - startedAt
    const leftMs = Math.max(1, request.timeoutMs - prepareMs)

    const job = jobOf(request, { ...prepared, format }, leftMs, parts)
    const texts = new ChoiceTexts(processor, {
      choices: request.choices,
      stops: request.stop,
      withLogprobs: request.topLogprobs !== undefined,
      maxTokens: job.maxTokens,
      reasons,
    })
    const promptUsage = {
      prompt_tokens: prepared.promptIds.length,
      image_tokens: prepared.imageTokens,
    }
    request.onPhase?.('queue')
    const generation = engine.generate(job, signal)
    let sampledTokens = 0
    for await (const event of generation) {
      switch (event.type) {
        case 'queued':
          yield {
            ...event,
            promptTokens: promptUsage.prompt_tokens,
            imageTokens: promptUsage.image_tokens,
          }
          break
        case 'phase':
          request.onPhase?.(event.phase, event.epochMs)
          break
        case 'tokens':
          // From here on there is an answer, which the engine ends in time.
          deadline.stopClock()
          sampledTokens += event.ids.length
          request.onUsage?.({ ...promptUsage, completion_tokens: sampledTokens }, event.choice)
          yield* texts.push(event)
          if (texts.stopped(event.choice)) generation.stop(event.choice)
          break
        case 'end':
          yield* texts.flush()
          yield {
            type: 'end',
            endings: texts.endings(event.finishReasons),
            usage: {
              ...promptUsage,
              completion_tokens: event.completionTokens - texts.ignoredTokens,
              cached_tokens: event.cachedTokens,
              ...(reasons && { reasoning_tokens: texts.thoughtTokens }),
            },
            timings: timingsOf(event.timings, prepareMs, now() - startedAt),
          }
          break
      }
    }
  }

  return { describe, count }
}

function jobOf(
  request: DescribeRequest,
  { promptIds, images, format }: PreparedPrompt & { readonly format: Grammar | undefined },
  timeoutMs: number,
  { processor, randomSeed, defaultMaxTokens, reasons }: DescriberParts,
): GenerateJob {
  const isRuled = format !== undefined || request.thoughtTokens !== undefined
  return {
    id: randomUUID(),
    tenant: request.tenant,
    priority: request.priority,
    timeoutMs,
    promptIds,
    images,
    maxTokens: request.maxTokens ?? defaultMaxTokens,
    grantedTokens: request.grantedTokens,
    stopIds: processor.stopIds,
    controlIdsFrom: processor.controlIdsFrom,
    sampling: { ...request.sampling, seed: request.sampling.seed ?? randomSeed() },
    choices: request.choices,
    topLogprobs: request.topLogprobs,
    reportsPhases: request.onPhase !== undefined,
    format,
    // Without a format or a limit the model decides by itself whether it thinks.
    thought: reasons && isRuled ? processor.thoughtMarks : undefined,
    thoughtTokens: request.thoughtTokens,
  }
}
