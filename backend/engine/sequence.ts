import { ServiceError } from '../../shared/api/errors.ts'
import type { FinishReason } from '../../shared/api/events.ts'
import type { ModelInfo, PatchImage, SlotId, StepRow } from '../model/model.ts'
import { Answer } from './answer.ts'
import type { EventQueue } from './event-queue.ts'
import { featuresWithin, findImageSpans, type ImageSpan } from './image-spans.ts'
import type { EngineTimings, GenerateJob, JobPriority } from './job.ts'
import { createSampler, type Sampler } from './sampler.ts'
import type { Schedulable, SequenceStatus } from './step-plan.ts'
import { estimateWork, workPerImageToken, workPerSampledToken } from './work.ts'

const legalNext: Readonly<Record<SequenceStatus, readonly SequenceStatus[]>> = {
  queued: ['vision', 'prefill', 'decode', 'ended'],
  vision: ['prefill', 'ended'],
  prefill: ['decode', 'ended'],
  decode: ['ended'],
  ended: [],
}

/** What all choices of one job have in common. */
interface JobParts {
  readonly job: GenerateJob
  /** Most tokens of each answer, at least 1. */
  readonly tokenLimit: number
  readonly spans: readonly ImageSpan[]
  readonly hiddenSize: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** See work.ts. */
  readonly estimatedWork: number
  /** By `now`; the answer ends there with what it has. */
  readonly deadlineMs: number
  readonly answer: Answer
  /** By number. The first reads the prompt; the others come to be when it is read. */
  readonly choices: Sequence[]
}

/**
 * One request inside the engine, from its arrival to its last event; or a further choice of it.
 * @throws {RangeError} when placeholders and images do not match
 */
export function createSequence(
  job: GenerateJob,
  tokenLimit: number,
  info: ModelInfo,
  now: () => number,
): Sequence {
  const spans = findImageSpans(job, info)
  return new Sequence({
    job,
    tokenLimit,
    spans,
    hiddenSize: info.hiddenSize,
    now,
    estimatedWork: estimateWork(job, tokenLimit, info.mergeSize),
    deadlineMs: now() + (job.timeoutMs ?? Infinity),
    answer: new Answer(job.choices ?? 1),
    choices: [],
  })
}

/**
 * One choice of a request. The first one reads the prompt. Then each of the others has its first token from the same
 * logits, and waits, still queued, for a slot with a copy of the prompt's rows.
 */
export class Sequence implements Schedulable {
  readonly #parts: JobParts
  readonly #job: GenerateJob
  readonly #choice: number
  readonly #sample: Sampler
  readonly #spentMs = { queued: 0, vision: 0, prefill: 0, decode: 0, ended: 0 }
  #status: SequenceStatus = 'queued'
  #statusSince: number
  #slot: SlotId | undefined
  /** Of the images so far; given up once the prompt is read. */
  #features: Float32Array[] = []
  #cachedTokens = 0
  /** Done for this choice, in prompt tokens. */
  #work = 0
  /** Sampled, but not in the cache yet. */
  #lastId = 0
  #completionTokens = 0

  /** Takes the next number among `parts.choices`. */
  constructor(parts: JobParts) {
    this.#parts = parts
    this.#job = parts.job
    this.#choice = parts.choices.push(this) - 1
    this.#sample = createSampler(parts.job, this.#choice)
    this.#statusSince = parts.now()
  }

  /** Of all choices. */
  get events(): EventQueue {
    return this.#parts.answer.events
  }

  get id(): string {
    return this.#job.id
  }

  get tenant(): string {
    return this.#job.tenant
  }

  get priority(): JobPriority {
    return this.#job.priority
  }

  /** Of all choices, in prompt tokens. */
  get estimatedWork(): number {
    return this.#parts.estimatedWork
  }

  /** Done so far for all choices, in prompt tokens. */
  get work(): number {
    return this.#parts.choices.reduce((sum, choice) => sum + choice.#work, 0)
  }

  /** True when all choices have ended. */
  get requestEnded(): boolean {
    return this.#parts.choices.every(({ status }) => status === 'ended')
  }

  get status(): SequenceStatus {
    return this.#status
  }

  /** Prompt tokens that are not in the cache yet. */
  get promptLeft(): number {
    return Math.max(0, this.#job.promptIds.length - this.#cachedTokens)
  }

  get promptTokens(): number {
    return this.#job.promptIds.length
  }

  /** A choice of the same request that waits for a slot with the prompt's rows. */
  get waitingChoice(): Sequence | undefined {
    return this.#parts.choices.find(({ status }, choice) => choice > 0 && status === 'queued')
  }

  /** Who takes over the slot of this ended one, for its rows of the prompt would be lost otherwise. */
  get heir(): Sequence | undefined {
    const othersHoldThem = this.#parts.choices.some(({ status }) => status === 'decode')
    return othersHoldThem ? undefined : this.waitingChoice
  }

  get cachedTokens(): number {
    return this.#cachedTokens
  }

  /** @throws {RangeError} before `start` */
  get slot(): SlotId {
    if (this.#slot === undefined) throw new RangeError('The sequence holds no slot')
    return this.#slot
  }

  /** The image to encode next. @throws {RangeError} when there is none */
  get nextImage(): PatchImage {
    const image = this.#job.images[this.#features.length]
    if (image === undefined) throw new RangeError('All images are encoded')
    return image
  }

  /** @param slot empty */
  start(slot: SlotId): void {
    this.#enter(this.#parts.spans.length > 0 ? 'vision' : 'prefill')
    this.#slot = slot
  }

  /** Begins a waiting choice. @param slot holds the prompt's rows and no more */
  join(slot: SlotId): void {
    this.#enter('decode')
    this.#slot = slot
    this.#cachedTokens = this.promptTokens
  }

  /** @param features of `nextImage`. @throws {RangeError} when their number does not fit the placeholders */
  addFeatures(features: Float32Array): void {
    const span = this.#parts.spans[this.#features.length]
    if (features.length !== (span?.tokens ?? 0) * this.#parts.hiddenSize) {
      throw new RangeError(`${features.length} features do not fit the image's placeholders`)
    }
    this.#features.push(features)
    this.#work += workPerImageToken * (span?.tokens ?? 0)
    if (this.#features.length === this.#parts.spans.length) this.#enter('prefill')
  }

  /** The next `tokens` tokens as a row of a step. */
  rowOf(tokens: number): StepRow {
    const slot = this.slot
    if (this.#status === 'decode') {
      return { slot, tokenIds: Int32Array.of(this.#lastId), features: [], sample: true }
    }
    const start = this.#cachedTokens
    return {
      slot,
      tokenIds: this.#job.promptIds.subarray(start, start + tokens),
      features: featuresWithin(this.#parts.spans, this.#features, start, tokens),
      sample: tokens === this.promptLeft,
    }
  }

  /**
   * Takes the outcome of a step with `rowOf(tokens)`.
   * @param logits when the row asked for them
   */
  advance(tokens: number, logits: Float32Array | undefined): void {
    this.#cachedTokens += tokens
    this.#work += this.#status === 'prefill' ? tokens : workPerSampledToken
    if (logits === undefined) return
    if (this.#status === 'prefill') {
      this.#enter('decode')
      this.#features = []
      this.#beginOtherChoices(logits)
    }
    this.#append(logits)
  }

  /** Ends one choice at the tokens it has; does nothing when it has ended. */
  stopChoice(choice: number): void {
    const chosen = this.#parts.choices[choice]
    if (chosen !== undefined && chosen.#status !== 'ended') chosen.#end('stop')
  }

  /** Once its time is up, ends all choices at the tokens they have; with none in all, with `deadline_exceeded`. */
  expire(): void {
    if (this.#parts.now() < this.#parts.deadlineMs || this.requestEnded) return
    const { answer, choices, job } = this.#parts
    if (answer.completionTokens === 0) {
      const message = `No answer could be begun within the ${Math.round(job.timeoutMs ?? 0)} ms it was given`
      this.fail(new ServiceError('deadline_exceeded', message))
    } else {
      for (const choice of choices) if (choice.#status !== 'ended') choice.#end('timeout')
    }
  }

  /** Ends all choices with an error for their reader; does nothing when they have ended. */
  fail(error: Error): void {
    for (const choice of this.#parts.choices) {
      if (choice.#status !== 'ended') choice.#enter('ended')
    }
    this.events.fail(error)
  }

  /** @param logits after the prompt; not modified */
  #beginOtherChoices(logits: Float32Array): void {
    for (let choice = 1; choice < (this.#job.choices ?? 1); choice++) {
      new Sequence(this.#parts).#append(logits.slice())
    }
  }

  #append(logits: Float32Array): void {
    const sampled = this.#sample(logits)
    if (this.#job.stopIds.includes(sampled.id)) return this.#end('stop')
    this.#lastId = sampled.id
    this.#completionTokens += 1
    this.#parts.answer.add(this.#choice, sampled)
    if (this.#completionTokens >= this.#parts.tokenLimit) this.#end('length')
  }

  #end(finishReason: FinishReason): void {
    this.#enter('ended')
    const { answer, choices } = this.#parts
    answer.finish(this.#choice, finishReason, () => choices[0]!.#timings())
  }

  /** The first choice's, and decoding up to now: it may have ended before the others. */
  #timings(): EngineTimings {
    const { queued, vision, prefill, decode } = this.#spentMs
    const decodeMs = decode + this.#parts.now() - this.#statusSince
    return { queueMs: queued, visionMs: vision, prefillMs: prefill, decodeMs }
  }

  #enter(next: SequenceStatus): void {
    if (!legalNext[this.#status].includes(next)) {
      throw new RangeError(`A sequence cannot go from ${this.#status} to ${next}`)
    }
    const now = this.#parts.now()
    this.#spentMs[this.#status] += now - this.#statusSince
    this.#statusSince = now
    this.#status = next
    if (next === 'ended') this.#features = []
  }
}
