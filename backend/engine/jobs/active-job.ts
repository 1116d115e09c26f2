import { ServiceError } from '../../../shared/api/errors.ts'
import type { FinishReason } from '../../../shared/api/events.ts'
import type { ImageFeatures, ModelInfo } from '../../model/model.ts'
import { PromptImages } from '../images/prompt-images.ts'
import type { EnginePhase, GenerateJob, JobPriority } from '../job.ts'
import { estimateWork } from '../queue/work.ts'
import { createSampler, type Sampled } from '../sampling/sampler.ts'
import type { TokenRule } from '../sampling/token-rule.ts'
import { Answer } from './answer.ts'
import type { EventQueue } from './event-queue.ts'
import type { PhaseListener, SequenceStatus } from './phase-clock.ts'
import { Sequence } from './sequence.ts'

interface ActiveJobOptions {
  readonly asked: GenerateJob
  /** The most tokens of each answer, and of all together; at least 1. */
  readonly tokenLimit: number
  readonly answerTokens: number
  readonly info: ModelInfo
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** What holds an answer to the job's format; one is made for each choice. */
  readonly openRule?: (() => TokenRule) | undefined
}

/** A choice that gave way waits again. */
const phaseOf: Readonly<Record<SequenceStatus, EnginePhase | undefined>> = {
  queued: 'queue',
  vision: 'vision',
  prefill: 'prefill',
  decode: 'decode',
  paused: 'queue',
  ended: undefined,
}

/**
 * One request inside the engine, from its arrival to its last event: everything its choices share. The first choice
 * reads the prompt. Then each of the others samples its first token from the same logits, and waits for a slot with a
 * copy of the prompt's rows.
 */
export class ActiveJob {
  /** As submitted by its caller. */
  readonly asked: GenerateJob
  readonly tokenLimit: number
  readonly images: PromptImages
  readonly now: () => number
  /** For all choices, in prompt tokens; see work.ts. */
  readonly estimatedWork: number
  readonly #info: ModelInfo
  readonly #openRule: (() => TokenRule) | undefined
  /** On the clock of `now`; the answer ends then with what it has. */
  readonly #deadlineMs: number
  readonly #answer: Answer
  /** Indexed by choice. */
  readonly #choices: Sequence[] = []
  /** Choices to end as soon as they have a token: until then, the first one reads the prompt for all of them. */
  readonly #toStop = new Set<number>()

  /** @throws {RangeError} when placeholders and images do not match */
  constructor({ asked, tokenLimit, answerTokens, info, now, openRule }: ActiveJobOptions) {
    const { choices = 1 } = asked
    this.asked = asked
    this.tokenLimit = tokenLimit
    this.images = new PromptImages(asked, info)
    this.now = now
    this.estimatedWork = estimateWork(
      asked,
      Math.min(choices * tokenLimit, answerTokens),
      info.mergeSize,
    )
    this.#info = info
    this.#openRule = openRule
    this.#deadlineMs = now() + (asked.timeoutMs ?? Infinity)
    this.#answer = new Answer({ choices, choiceTokens: tokenLimit, totalTokens: answerTokens })
    this.#addChoice()
  }

  get id(): string {
    return this.asked.id
  }

  get tenant(): string {
    return this.asked.tenant
  }

  get priority(): JobPriority {
    return this.asked.priority
  }

  /** Events of all choices. */
  get events(): EventQueue {
    return this.#answer.events
  }

  /** The choice that reads the prompt. */
  get first(): Sequence {
    return this.#choices[0]!
  }

  /** Work done so far for all choices, in prompt tokens. */
  get work(): number {
    return this.#choices.reduce((sum, choice) => sum + choice.work, 0)
  }

  /** True when all choices have ended. */
  get ended(): boolean {
    return this.#choices.every(({ status }) => status === 'ended')
  }

  /** A choice that waits for a slot with the prompt's rows. */
  get waitingChoice(): Sequence | undefined {
    return this.#choices.find(({ status }, choice) => choice > 0 && status === 'queued')
  }

  /** The choice that takes over the slot of one that ended, whose rows of the prompt would otherwise be lost. */
  get heir(): Sequence | undefined {
    const othersHoldThem = this.#choices.some(
      ({ status, holdsPrompt }) => status !== 'ended' && holdsPrompt,
    )
    return othersHoldThem ? undefined : this.waitingChoice
  }

  /** Whether the first token is still to be sampled for other choices than the first, from the same logits. */
  get hasChoicesToBegin(): boolean {
    return this.#choices.length < (this.asked.choices ?? 1)
  }

  /** Samples the first token of every choice but the first. @param logits after the prompt; not modified */
  beginOtherChoices(logits: Float32Array): void {
    while (this.hasChoicesToBegin) {
      const choice = this.#addChoice()
      if (this.#answer.isFull(this.#choices.length - 1)) choice.end('length')
      else choice.take(logits.slice())
    }
  }

  addFeatures(key: string, features: ImageFeatures): void {
    this.images.add(key, features)
    for (const choice of this.#choices) choice.readWhenSeen()
  }

  /** Drops the image features once no choice needs them for reading. */
  releaseImages(): void {
    if (!this.#choices.some(({ needsImages }) => needsImages)) this.images.release()
  }

  /** Tokens that a choice may still have; 0 or less when it has all. */
  tokensLeft(choice: number): number {
    return this.#answer.tokensLeft(choice)
  }

  addToken(choice: number, sampled: Sampled): void {
    this.#answer.add(choice, sampled)
    if (this.#toStop.has(choice)) this.#choices[choice]?.end('stop')
  }

  /** Called when a choice has ended with an answer. */
  finishChoice(choice: number, finishReason: FinishReason): void {
    this.#answer.finish(choice, finishReason, () => ({
      cachedTokens: this.first.restoredTokens,
      timings: this.first.timings,
    }))
  }

  /** Ends one choice at the tokens it has, or with its first one; does nothing when it has ended. */
  stopChoice(choice: number): void {
    if (this.first.hasSampled) this.#choices[choice]?.end('stop')
    else this.#toStop.add(choice)
  }

  /**
   * Once the time is up, ends all choices at the tokens they have, or with `deadline_exceeded` if there are none at
   * all.
   */
  expire(): void {
    if (this.now() < this.#deadlineMs || this.ended) return
    if (this.#answer.completionTokens === 0) {
      const message = `No answer could be started within the ${Math.round(this.asked.timeoutMs ?? 0)} ms it was given`
      this.fail(new ServiceError('deadline_exceeded', message))
    } else {
      for (const choice of this.#choices) choice.end('timeout')
    }
  }

  /** Ends all choices with an error for their reader; does nothing when they have ended. */
  fail(error: Error): void {
    for (const choice of this.#choices) choice.giveUp()
    this.events.fail(error)
  }

  #addChoice(): Sequence {
    const number = this.#choices.length
    const sampler = createSampler(this.asked, number, this.#info, this.#openRule?.())
    const onPhase = number === 0 && this.asked.reportsPhases ? this.#phaseReporter() : undefined
    const choice = new Sequence(this, number, sampler, onPhase)
    this.#choices.push(choice)
    return choice
  }

  /** Tells the reader of the events how the first choice gets on. */
  #phaseReporter(): PhaseListener {
    // Other processes have other clocks, but the same wall clock.
    const epochMs = Date.now() - this.now()
    return (status, at) => {
      const phase = phaseOf[status]
      if (phase !== undefined) this.events.push({ type: 'phase', phase, epochMs: epochMs + at })
    }
  }
}
