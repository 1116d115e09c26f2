import { ServiceError } from '../../shared/api/errors.ts'
import type { FinishReason } from '../../shared/api/events.ts'
import type { ModelInfo, SlotId, StepRow } from '../model/model.ts'
import { Answer } from './answer.ts'
import { BlockChain, imageKey } from './content-hash.ts'
import type { EventQueue } from './event-queue.ts'
import { featuresWithin, findImageSpans, type ImageSpan } from './image-spans.ts'
import type { EngineTimings, GenerateJob, JobPriority } from './job.ts'
import { createSampler, type Sampler } from './sampler.ts'
import type { Schedulable, SequenceStatus } from './step-plan.ts'
import type { KeyedImage } from './vision-stage.ts'
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
  readonly imageTokenId: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** See work.ts. */
  readonly estimatedWork: number
  /** By `now`; the answer ends there with what it has. */
  readonly deadlineMs: number
  readonly answer: Answer
  /** By number. The first reads the prompt; the others come to be when it is read. */
  readonly choices: Sequence[]
  /** One for each of `spans`, once the first choice has started: hashing takes milliseconds per image. */
  imageKeys: readonly string[]
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
    imageTokenId: info.imageTokenId,
    now,
    estimatedWork: estimateWork(job, tokenLimit, info.mergeSize),
    deadlineMs: now() + (job.timeoutMs ?? Infinity),
    answer: new Answer(job.choices ?? 1),
    choices: [],
    imageKeys: [],
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
  /** By image, as far as they are needed and known; given up once the prompt is read. */
  #features: (Float32Array | undefined)[] = []
  #blocks: BlockChain | undefined
  #cachedTokens = 0
  #restoredTokens = 0
  /** Done for this choice, in prompt tokens. */
  #work = 0
  /** Sampled, but not in the cache yet. */
  #lastId = 0
  readonly #answerIds: number[] = []
  #finished = false

  /** Takes the next number among `parts.choices`. */
  constructor(parts: JobParts) {
    this.#parts = parts
    this.#job = parts.job
    this.#choice = parts.choices.push(this) - 1
    this.#sample = createSampler(parts.job, this.#choice, parts.imageTokenId)
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

  /** The most tokens it may come to hold: the last one sampled is never run. */
  get claimTokens(): number {
    return this.promptTokens + this.#parts.tokenLimit - 1
  }

  /** Ended with an answer, whose rows are as good as any. */
  get finished(): boolean {
    return this.#finished
  }

  /** Names of the whole blocks of prompt, or of what the slot holds when that is more. */
  blockKeys(): readonly string[] {
    const { job, spans } = this.#parts
    this.#blocks ??= new BlockChain(job.tenant, spans, this.#imageKeys())
    const answered = Math.max(0, this.#cachedTokens - this.promptTokens)
    const ids = new Int32Array(this.promptTokens + answered)
    ids.set(job.promptIds)
    ids.set(this.#answerIds.slice(0, answered), this.promptTokens)
    return this.#blocks.keysOf(ids)
  }

  /** @throws {RangeError} before `start` */
  get slot(): SlotId {
    if (this.#slot === undefined) throw new RangeError('The sequence holds no slot')
    return this.#slot
  }

  /** The image to encode next. @throws {RangeError} when there is none */
  get nextImage(): KeyedImage {
    const index = this.#missingImages()[0]
    if (index === undefined) throw new RangeError('All images are encoded')
    return { key: this.#imageKeys()[index]!, image: this.#job.images[index]! }
  }

  /** Whether it waits for features of this name. */
  lacks(key: string): boolean {
    return this.#missingImages().some((index) => this.#imageKeys()[index] === key)
  }

  /** @param slot holds the rows of the first `restoredTokens` of the prompt, which are not all of it */
  start(slot: SlotId, restoredTokens: number): void {
    this.#slot = slot
    this.#cachedTokens = restoredTokens
    this.#restoredTokens = restoredTokens
    this.#enter(this.#missingImages().length > 0 ? 'vision' : 'prefill')
  }

  /** Begins a waiting choice. @param slot holds the prompt's rows and no more */
  join(slot: SlotId): void {
    this.#enter('decode')
    this.#slot = slot
    this.#cachedTokens = this.promptTokens
  }

  /** Takes the features of all images of this name. @param features [image tokens, hiddenSize]; shared, not modified */
  addFeatures(key: string, features: Float32Array): void {
    for (const index of this.#missingImages()) {
      if (this.#imageKeys()[index] === key) this.#features[index] = features
    }
    if (this.#missingImages().length === 0) this.#enter('prefill')
  }

  /** Counts a run of the vision tower that is made for this sequence, whoever else it serves. @returns the work */
  countImage(key: string): number {
    const span = this.#parts.spans[this.#imageKeys().indexOf(key)]
    const work = workPerImageToken * (span?.tokens ?? 0)
    this.#work += work
    return work
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
    this.#answerIds.push(sampled.id)
    this.#parts.answer.add(this.#choice, sampled)
    if (this.#answerIds.length >= this.#parts.tokenLimit) this.#end('length')
  }

  #end(finishReason: FinishReason): void {
    this.#enter('ended')
    this.#finished = true
    const { answer, choices } = this.#parts
    answer.finish(this.#choice, finishReason, () => ({
      cachedTokens: choices[0]!.#restoredTokens,
      timings: choices[0]!.#timings(),
    }))
  }

  /** Of images whose placeholders are not all in the cache: those without features. */
  #missingImages(): number[] {
    return this.#parts.spans.flatMap(({ start, tokens }, index) =>
      start + tokens <= this.#cachedTokens || this.#features[index] !== undefined ? [] : [index],
    )
  }

  #imageKeys(): readonly string[] {
    const { images, tenant } = this.#job
    if (this.#parts.imageKeys.length < images.length) {
      this.#parts.imageKeys = images.map((image) => imageKey(tenant, image))
    }
    return this.#parts.imageKeys
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
