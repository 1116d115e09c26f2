import { randomInt } from 'node:crypto'
import { startDeadline, type Deadline } from '../../../shared/async/deadline.ts'
import type { AnswerUsage, GenerationEvent } from '../../../shared/api/events.ts'
import { checkLogprobs, tooLate } from '../../describe/answer-limits.ts'
import type { DescribeRequest } from '../../describe.ts'
import { expectedWork } from '../../engine/queue/work.ts'
import type { FormatCompiler } from '../../processor/tasks/format-compiler.ts'
import type { NormalizedPrompt, Normalizer } from '../../processor/create-normalizer.ts'
import { withoutThoughts } from '../../processor/text/without-thoughts.ts'
import { timingsOf } from '../../describe/timings.ts'
import { AnswerBuilder } from './answer-builder.ts'
import type { AnswerPart } from '../wire/answer-reader.ts'
import { askWithRetries, type Asking } from './ask-with-retries.ts'
import { dialects, lackOf } from '../wire/dialect.ts'
import type { Dispatcher, Ticket } from './dispatcher.ts'
import type { EngineRequest } from '../wire/engine-client.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import { actualWork, affinityOf, tokenLimits, type TokenLimits } from './job-size.ts'
import type { DispatchJob } from './waiting-job.ts'
import { wireBody } from '../wire/wire-request.ts'

export interface AnswerParts extends Pick<Asking, 'limits' | 'onProblem'> {
  readonly normalizer: Normalizer
  readonly formats: Pick<FormatCompiler, 'compile'>
  readonly dispatcher: Dispatcher
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
  readonly defaultMaxTokens: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
  /** Tokens of prompt and answer together. */
  readonly contextTokens: () => number
  /** What identifies a tenant in the engines' caches. */
  readonly saltOf: (tenant: string) => string
}

/** The range of SGLang's seeds. */
const seedLimit = 2 ** 31 - 1

/** One request on its way to an engine and back. */
export class ClusterAnswer {
  readonly #request: DescribeRequest
  readonly #deadline: Deadline
  readonly #parts: AnswerParts
  readonly #startedMs: number
  /** Milliseconds from the start: prepared, given to an engine, first token. */
  #preparedMs = 0
  #givenMs: number | undefined
  #firstMs: number | undefined

  constructor(request: DescribeRequest, deadline: Deadline, parts: AnswerParts) {
    this.#request = request
    this.#deadline = deadline
    this.#parts = parts
    this.#startedMs = parts.now()
  }

  /** @throws {ServiceError} */
  async *events(): AsyncGenerator<GenerationEvent> {
    const { dispatcher, defaultMaxTokens, contextTokens } = this.#parts
    this.#request.onPhase?.('prepare')
    checkLogprobs(this.#request, defaultMaxTokens)
    const prompt = await this.#prepare()
    const { promptTokens, imageTokens } = prompt
    const options = { contextTokens: contextTokens(), defaultMaxTokens }
    const limits = tokenLimits(this.#request, promptTokens, options)
    this.#preparedMs = this.#elapsedMs()
    this.#request.onPhase?.('queue')
    const ticket = dispatcher.enter(this.#job(prompt, limits), this.#deadline.signal)
    const builder = this.#builder(prompt, limits)
    try {
      yield { type: 'queued', position: ticket.position, promptTokens, imageTokens }
      const asking = {
        ...this.#parts,
        ticket,
        requestFor: (facts: EngineFacts) => this.#requestFor(facts, prompt, limits),
      }
      yield* this.#generate(asking, builder)
    } finally {
      const { completion_tokens } = builder.usage
      ticket.leave(builder.hasBegun ? actualWork(prompt, completion_tokens) : 0)
    }
  }

  /** Formats that the engine in this server would refuse are refused here too, before anything is sent. */
  async #prepare(): Promise<NormalizedPrompt> {
    const { tenant, messages, images, format } = this.#request
    const { formats, normalizer, reasons } = this.#parts
    const caller = { tenant, signal: this.#deadline.signal }
    if (format !== undefined) await formats.compile(format, caller)
    return normalizer.normalize(reasons ? withoutThoughts(messages) : messages, images, caller)
  }

  #job(prompt: NormalizedPrompt, { maxTokens }: TokenLimits): DispatchJob {
    const { tenant, priority, choices } = this.#request
    return {
      tenant,
      priority,
      estimatedWork: expectedWork({ ...prompt, answerTokens: choices * maxTokens }),
      answers: choices,
      affinity: affinityOf(prompt),
      lackOf: (facts) => lackOf(facts, this.#request),
    }
  }

  #builder(prompt: NormalizedPrompt, limits: TokenLimits): AnswerBuilder {
    const { choices, stop: stops, topLogprobs } = this.#request
    const withLogprobs = topLogprobs !== undefined
    const { normalizer: vocabulary, reasons } = this.#parts
    const asked = { choices, stops, withLogprobs, reasons }
    return new AnswerBuilder({ ...limits, ...asked, vocabulary, prompt })
  }

  #requestFor(
    facts: EngineFacts,
    prompt: NormalizedPrompt,
    { maxTokens }: TokenLimits,
  ): EngineRequest {
    this.#givenMs = this.#elapsedMs()
    this.#request.onPhase?.('prefill')
    const { tenant, choices, topLogprobs, stop, ...asked } = this.#request
    // An engine would search for stop texts in thoughts too, so those of an answer are searched for here.
    const stops = this.#parts.reasons ? [] : stop
    const ask = { ...asked, choices, topLogprobs, stop: stops, prompt, maxTokens }
    const salt = this.#parts.saltOf(tenant)
    const { tokenId } = dialects[facts.kind]
    const logprobs =
      topLogprobs === undefined || tokenId === undefined ? undefined : { top: topLogprobs, tokenId }
    return {
      body: wireBody({ ...ask, salt, randomSeed: () => randomInt(seedLimit) }, facts),
      expected: { names: facts.names, choices, maxTokens, logprobs },
    }
  }

  async *#generate(asking: Asking, builder: AnswerBuilder): AsyncGenerator<GenerationEvent> {
    const leftMs = Math.max(1, this.#request.timeoutMs - this.#elapsedMs())
    // Ends an answer that has begun with what there is; one that has not begun ends with an error at the deadline.
    const ending = startDeadline(leftMs, this.#deadline.signal)
    try {
      for await (const part of askWithRetries(asking, ending.signal)) {
        yield* this.#take(part, builder)
        if (builder.isStopped) break
      }
    } catch (thrown) {
      if (!ending.expired) throw thrown
      if (!builder.hasBegun) throw tooLate(this.#request)
    } finally {
      ending.release()
    }
    yield* builder.flush()
    yield {
      type: 'end',
      endings: builder.endings(),
      usage: await this.#usageOf(builder, asking.ticket),
      timings: this.#timings(),
    }
  }

  #take(part: AnswerPart, builder: AnswerBuilder): GenerationEvent[] {
    if (this.#firstMs === undefined) this.#request.onPhase?.('decode')
    this.#firstMs ??= this.#elapsedMs()
    this.#deadline.stopClock()
    const deltas = builder.take(part)
    if (part.type === 'text') this.#request.onUsage?.(builder.usage, part.choice)
    return deltas
  }

  async #usageOf(builder: AnswerBuilder, ticket: Ticket): Promise<AnswerUsage> {
    const { thoughts, countedThoughts } = builder
    const usage = builder.countedUsage ?? (await this.#ownCount(builder, ticket))
    if (!this.#parts.reasons && thoughts.every((thought) => thought === '')) return usage
    const tokens = countedThoughts ?? (await this.#tokensOf(thoughts))
    return { ...usage, reasoning_tokens: Math.min(tokens, usage.completion_tokens) }
  }

  /** For an engine that does not report its usage, or reports an impossible one. */
  async #ownCount(builder: AnswerBuilder, ticket: Ticket): Promise<AnswerUsage> {
    const { usage, texts, thoughts } = builder
    if (!builder.isStopped) ticket.engine?.noteUncounted()
    const completion_tokens = await this.#tokensOf([...thoughts, ...texts])
    return { ...usage, completion_tokens, cached_tokens: 0 }
  }

  #tokensOf(texts: readonly string[]): Promise<number> {
    const caller = { tenant: this.#request.tenant, signal: this.#deadline.signal }
    return this.#parts.normalizer.countTokens(texts, caller)
  }

  #elapsedMs(): number {
    return this.#parts.now() - this.#startedMs
  }

  #timings() {
    const totalMs = this.#elapsedMs()
    const givenMs = this.#givenMs ?? totalMs
    const firstMs = this.#firstMs ?? totalMs
    const phases = {
      queueMs: givenMs - this.#preparedMs,
      // Part of prefill: engines do not tell them apart.
      visionMs: 0,
      prefillMs: firstMs - givenMs,
      decodeMs: totalMs - firstMs,
    }
    return timingsOf(phases, this.#preparedMs, totalMs)
  }
}
