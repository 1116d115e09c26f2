import type { ModelInfo, PatchImage, SlotId, StepRow } from '../model/model.ts'
import { EventQueue } from './event-queue.ts'
import { featuresWithin, findImageSpans, type ImageSpan } from './image-spans.ts'
import type { EngineTimings, GenerateJob } from './job.ts'
import { createSampler, type Sampler } from './sampler.ts'
import type { Schedulable, SequenceStatus } from './step-plan.ts'

const legalNext: Readonly<Record<SequenceStatus, readonly SequenceStatus[]>> = {
  queued: ['vision', 'prefill', 'ended'],
  vision: ['prefill', 'ended'],
  prefill: ['decode', 'ended'],
  decode: ['ended'],
  ended: [],
}

/** One request inside the engine, from its arrival to its last event. */
export class Sequence implements Schedulable {
  readonly events = new EventQueue()
  readonly #job: GenerateJob
  readonly #tokenLimit: number
  readonly #spans: readonly ImageSpan[]
  readonly #hiddenSize: number
  readonly #sample: Sampler
  readonly #now: () => number
  readonly #spentMs = { queued: 0, vision: 0, prefill: 0, decode: 0, ended: 0 }
  #status: SequenceStatus = 'queued'
  #statusSince: number
  #slot: SlotId | undefined
  /** Of the images so far; given up once the prompt is read. */
  #features: Float32Array[] = []
  #cachedTokens = 0
  /** Sampled, but not in the cache yet. */
  #lastId = 0
  #completionTokens = 0

  /**
   * @param tokenLimit most tokens of answer, at least 1
   * @param now milliseconds of a monotonic clock
   * @throws {RangeError} when placeholders and images do not match
   */
  constructor(job: GenerateJob, tokenLimit: number, info: ModelInfo, now: () => number) {
    this.#job = job
    this.#tokenLimit = tokenLimit
    this.#spans = findImageSpans(job, info)
    this.#hiddenSize = info.hiddenSize
    this.#sample = createSampler(job)
    this.#now = now
    this.#statusSince = now()
  }

  get id(): string {
    return this.#job.id
  }

  get status(): SequenceStatus {
    return this.#status
  }

  /** Prompt tokens that are not in the cache yet. */
  get promptLeft(): number {
    return Math.max(0, this.#job.promptIds.length - this.#cachedTokens)
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

  start(slot: SlotId): void {
    this.#enter(this.#spans.length > 0 ? 'vision' : 'prefill')
    this.#slot = slot
  }

  /** @param features of `nextImage`. @throws {RangeError} when their number does not fit the placeholders */
  addFeatures(features: Float32Array): void {
    const span = this.#spans[this.#features.length]
    if (features.length !== (span?.tokens ?? 0) * this.#hiddenSize) {
      throw new RangeError(`${features.length} features do not fit the image's placeholders`)
    }
    this.#features.push(features)
    if (this.#features.length === this.#spans.length) this.#enter('prefill')
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
      features: featuresWithin(this.#spans, this.#features, start, tokens),
      sample: tokens === this.promptLeft,
    }
  }

  /**
   * Takes the outcome of a step with `rowOf(tokens)`.
   * @param logits when the row asked for them
   */
  advance(tokens: number, logits: Float32Array | undefined): void {
    this.#cachedTokens += tokens
    if (logits === undefined) return
    const id = this.#sample(logits)
    if (this.#status === 'prefill') {
      this.#enter('decode')
      this.#features = []
    }
    this.#append(id)
  }

  /** Ends the sequence with an error for its reader; does nothing when it has ended. */
  fail(error: Error): void {
    if (this.#status === 'ended') return
    this.#enter('ended')
    this.events.fail(error)
  }

  #append(id: number): void {
    if (this.#job.stopIds.includes(id)) return this.#end('stop')
    this.#lastId = id
    this.#completionTokens += 1
    this.events.push({ type: 'tokens', ids: [id] })
    if (this.#completionTokens >= this.#tokenLimit) this.#end('length')
  }

  #end(finishReason: 'stop' | 'length'): void {
    this.#enter('ended')
    const completionTokens = this.#completionTokens
    this.events.push({ type: 'end', finishReason, completionTokens, timings: this.#timings() })
  }

  #timings(): EngineTimings {
    const { queued, vision, prefill, decode } = this.#spentMs
    return { queueMs: queued, visionMs: vision, prefillMs: prefill, decodeMs: decode }
  }

  #enter(next: SequenceStatus): void {
    if (!legalNext[this.#status].includes(next)) {
      throw new RangeError(`A sequence cannot go from ${this.#status} to ${next}`)
    }
    const now = this.#now()
    this.#spentMs[this.#status] += now - this.#statusSince
    this.#statusSince = now
    this.#status = next
    if (next === 'ended') this.#features = []
  }
}
