import { randomUUID } from 'node:crypto'
import type { Deadline } from '../shared/async/deadline.ts'
import type { GenerationEvent, Usage } from '../shared/api/events.ts'
import type { Asked } from '../shared/conversation/conversation.ts'
import { AnswerEvents } from './describe/answer-events.ts'
import { checkLogprobs, inTime } from './describe/answer-limits.ts'
import { ChoiceTexts } from './describe/choice-texts.ts'
import type { Engine, EnginePhase, GenerateJob } from './engine/job.ts'
import type { Grammar } from './grammar/grammar.ts'
import type { FormatCompiler } from './processor/tasks/format-compiler.ts'
import type { Message, PreparedPrompt, Processor } from './processor/processor.ts'
import { withoutThoughts } from './processor/text/without-thoughts.ts'

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

/** The phases of a request: its texts and images are prepared, then the engine works on it. */
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

  async function prepareAll(request: DescribeRequest, signal: AbortSignal): Promise<Prepared> {
    checkLogprobs(request, parts.defaultMaxTokens)
    const { tenant, messages, images } = request
    const caller = { tenant, signal }
    const format = request.format && (await formats.compile(request.format, caller))
    return { ...(await prepare(messages, images, caller)), format }
  }

  async function* answer(
    request: DescribeRequest,
    deadline: Deadline,
  ): AsyncGenerator<GenerationEvent> {
    const startedAt = now()
    const elapsedMs = () => now() - startedAt
    request.onPhase?.('prepare')
    const prepared = await prepareAll(request, deadline.signal)
    const prepareMs = elapsedMs()
    const job = jobOf(request, prepared, Math.max(1, request.timeoutMs - prepareMs), parts)
    const texts = textsOf(request, job, parts)
    const events = new AnswerEvents(texts, request, {
      promptTokens: prepared.promptIds.length,
      imageTokens: prepared.imageTokens,
      reasons,
      prepareMs,
      elapsedMs,
    })
    request.onPhase?.('queue')
    const generation = engine.generate(job, deadline.signal)
    for await (const event of generation) {
      // From here on there is an answer, which the engine ends on time.
      if (event.type === 'tokens') deadline.stopClock()
      yield* events.take(event)
      if (event.type === 'tokens' && texts.stopped(event.choice)) generation.stop(event.choice)
    }
  }

  return {
    describe: (request, signal) => inTime(request, signal, (deadline) => answer(request, deadline)),
    count,
  }
}

/** A prompt, and the grammar of what is to be answered. */
type Prepared = PreparedPrompt & { readonly format: Grammar | undefined }

function jobOf(
  request: DescribeRequest,
  { promptIds, images, format }: Prepared,
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

function textsOf(
  { choices, stop: stops, topLogprobs }: DescribeRequest,
  { maxTokens, promptIds, grantedTokens = Infinity }: GenerateJob,
  { processor, reasons }: DescriberParts,
): ChoiceTexts {
  const withLogprobs = topLogprobs !== undefined
  return new ChoiceTexts(processor, {
    choices,
    stops,
    withLogprobs,
    maxTokens,
    grantedTokens: grantedTokens - promptIds.length,
    reasons,
  })
}
