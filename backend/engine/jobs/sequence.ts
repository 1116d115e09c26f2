import type { FinishReason } from '../../../shared/api/events.ts'
import type { Candidates, ImageFeatures, SlotId, StepRow } from '../../model/model.ts'
import type { KeyedImage } from '../images/prompt-images.ts'
import type { EngineTimings, JobPriority } from '../job.ts'
import { BlockChain } from '../memory/content-hash.ts'
import { workPerImageToken, workPerSampledToken } from '../queue/work.ts'
import type { Sampled, Sampler } from '../sampling/sampler.ts'
import type { Owner } from './owner.ts'
import { PhaseClock, type PhaseListener, type SequenceStatus } from './phase-clock.ts'
import { SequenceTokens } from './sequence-tokens.ts'

/** One choice of a job: the tokens it reads and samples, in a slot of its own. */
export class Sequence {
  readonly job: Owner<Sequence>
  readonly #choice: number
  readonly #sampler: Sampler
  readonly #phase: PhaseClock
  readonly #tokens: SequenceTokens
  #slot: SlotId | undefined
  #blocks: BlockChain | undefined
  #work = 0
  #finished = false

  constructor(job: Owner<Sequence>, choice: number, sampler: Sampler, onPhase?: PhaseListener) {
    this.job = job
    this.#choice = choice
    this.#sampler = sampler
    this.#phase = new PhaseClock(job.now, onPhase)
    this.#tokens = new SequenceTokens(job.asked.promptIds)
  }

  get tenant(): string {
    return this.job.asked.tenant
  }

  get priority(): JobPriority {
    return this.job.asked.priority
  }

  get status(): SequenceStatus {
    return this.#phase.status
  }

  get timings(): EngineTimings {
    return this.#phase.timings
  }

  /** Work done for this choice, in prompt tokens. */
  get work(): number {
    return this.#work
  }

  get promptTokens(): number {
    return this.#tokens.prompt
  }

  /** Number of tokens it reads before it samples. */
  get tokensToRead(): number {
    return this.#tokens.toRead
  }

  /** How many of these are not in the cache yet. */
  get promptLeft(): number {
    return this.#tokens.left
  }

  /** Number of tokens in its slot. */
  get cachedTokens(): number {
    return this.#tokens.cached
  }

  /** How many tokens of its prompt were taken from the prefix cache. */
  get restoredTokens(): number {
    return this.#tokens.restored
  }

  /** The most tokens it may come to hold: the last sampled one is never run. */
  get claimTokens(): number {
    return this.promptTokens + this.job.tokenLimit - 1
  }

  /** True when it ended with an answer, so that its rows can be reused. */
  get finished(): boolean {
    return this.#finished
  }

  get holdsSlot(): boolean {
    return this.#slot !== undefined
  }

  /** Whether its slot has all rows of the prompt, from which other choices can begin. */
  get holdsPrompt(): boolean {
    return this.holdsSlot && this.cachedTokens >= this.promptTokens
  }

  get hasSampled(): boolean {
    return this.#tokens.haveSampled
  }

  /** The last sampled token, which is not in the cache. */
  get lastId(): number {
    return this.#tokens.lastId
  }

  /** Tokens that its answer may still have. */
  get tokensLeft(): number {
    return this.job.tokensLeft(this.#choice)
  }

  /** Ids from here upwards are never sampled, or end the answer. */
  get controlIdsFrom(): number {
    return this.job.asked.controlIdsFrom
  }

  /** All tokens it has, prompt and answer, from the one at `position` on. */
  idsFrom(position: number): Iterable<number> {
    return this.#tokens.from(position)
  }

  /** Whether it has progressed far enough since it got its rows to read them again. */
  get mayReadAgain(): boolean {
    return this.#tokens.mayBeReadAgain
  }

  /** @throws {RangeError} before `start` */
  get slot(): SlotId {
    if (this.#slot === undefined) throw new RangeError('The sequence holds no slot')
    return this.#slot
  }

  /** The next image to process. @throws {RangeError} when there is none */
  get nextImage(): KeyedImage {
    const image = this.job.images.next(this.cachedTokens)
    if (image === undefined) throw new RangeError('All images are processed')
    return image
  }

  /** Keys of the whole blocks of what it reads, or of what its slot holds if that is more. */
  blockKeys(): readonly string[] {
    const { asked, images } = this.job
    this.#blocks ??= new BlockChain(asked.tenant, images.spans, images.keys)
    return this.#blocks.keysOf(this.#tokens.ids)
  }

  /** Begins to read. @param slot holds the rows of the first `restoredTokens` of `tokensToRead`, but not of all */
  start(slot: SlotId, restoredTokens: number): void {
    this.#slot = slot
    this.#tokens.begin(restoredTokens)
    this.#phase.enter(this.#lacksImages() ? 'vision' : 'prefill')
  }

  /** Begins a waiting choice. @param slot holds exactly the prompt's rows */
  join(slot: SlotId): void {
    this.#phase.enter('decode')
    this.#slot = slot
    this.#tokens.begin(this.promptTokens)
  }

  /** Whether it still needs its images to read its prompt, now or once it continues. */
  get needsImages(): boolean {
    const { work } = this.#phase
    return work === 'vision' || work === 'prefill'
  }

  /** Gives way to others; it keeps its slot for the time being. */
  pause(): void {
    this.#phase.enter('paused')
  }

  /** Continues with the slot it kept. */
  resume(): void {
    this.#phase.enter(this.#phase.work)
  }

  /** The slot of a paused sequence was given to another: all its tokens but the last must be read again. */
  loseSlot(): void {
    this.#slot = undefined
    this.#tokens.lose()
  }

  /** Whether it waits for features with this key. */
  lacks(key: string): boolean {
    return this.job.images.lacks(key, this.cachedTokens)
  }

  /**
   * Stores the features of all images with this key. @param features [image tokens, hiddenSize]; shared, not modified
   */
  addFeatures(key: string, features: ImageFeatures): void {
    this.job.addFeatures(key, features)
  }

  /** Begins to read once it no longer waits for an image. */
  readWhenSeen(): void {
    if (this.status === 'vision' && !this.#lacksImages()) this.#phase.enter('prefill')
  }

  /** Charges a run of the vision tower to this sequence, even if it serves others too. @returns the work */
  countImage(key: string): number {
    const work = workPerImageToken * this.job.images.tokensOf(key)
    this.#work += work
    return work
  }

  /** The next `tokens` tokens as a row of a step; with a draft of those after the last one. */
  rowOf(tokens: number, draft?: Int32Array): StepRow {
    const slot = this.slot
    if (this.status === 'decode') {
      const tokenIds = Int32Array.of(this.lastId, ...(draft ?? []))
      return { slot, tokenIds, features: [], sample: true, drafted: draft?.length }
    }
    return {
      slot,
      tokenIds: this.#tokens.next(tokens),
      features: this.job.images.featuresWithin(this.cachedTokens, tokens),
      sample: tokens === this.promptLeft && !this.#tokens.haveSampled,
    }
  }

  /** Notes that a step has run this many of its tokens. */
  advance(tokens: number): void {
    const reads = this.status === 'prefill'
    this.#tokens.advance(tokens)
    if (!reads) this.#work += workPerSampledToken
    else if (!this.#tokens.haveSampled) this.#work += tokens
    if (reads && this.promptLeft === 0) {
      this.#phase.enter('decode')
      this.job.releaseImages()
    }
  }

  /** Whether a grammar says which tokens it may sample. */
  get hasGrammar(): boolean {
    return this.job.asked.format !== undefined
  }

  /** Does what it can to sample the next token before its logits are there; nothing when it has ended. */
  prepare(): void {
    if (this.status !== 'ended') this.#sampler.prepare()
  }

  /**
   * Samples the next token from the largest logits after all tokens it has.
   * @returns false when that takes all of them: see `takeAll`
   */
  takeFrom(candidates: Candidates): boolean {
    if (this.job.hasChoicesToBegin) return false
    const sampled = this.#sampler.pickFrom(candidates, this.tokensLeft)
    if (sampled !== undefined) this.#add(sampled)
    return sampled !== undefined
  }

  /** Samples the next token, and the first one of other choices, from all logits after the tokens it has. */
  takeAll(logits: Float32Array): void {
    this.job.beginOtherChoices(logits)
    this.take(logits)
  }

  /** Samples the next token from all logits after the tokens it has. */
  take(logits: Float32Array): void {
    this.#add(this.#sampler.pick(logits, this.tokensLeft))
  }

  #add(sampled: Sampled): void {
    if (this.job.asked.stopIds.includes(sampled.id)) return this.end('stop')
    this.#tokens.add(sampled.id)
    this.job.addToken(this.#choice, sampled)
    const isFull = this.tokensLeft <= 0
    if (sampled.end === 'must' || (sampled.end === 'may' && isFull)) this.end('stop')
    else if (isFull) this.end('length')
  }

  /** Ends with the tokens it has; does nothing when it has ended. */
  end(finishReason: FinishReason): void {
    if (this.status === 'ended') return
    this.#phase.enter('ended')
    this.#finished = true
    this.job.finishChoice(this.#choice, finishReason)
  }

  /** Ends without an answer; does nothing when it has ended. */
  giveUp(): void {
    if (this.status === 'ended') return
    this.#phase.enter('ended')
    this.job.images.release()
  }

  fail(error: Error): void {
    this.job.fail(error)
  }

  #lacksImages(): boolean {
    return this.job.images.next(this.cachedTokens) !== undefined
  }
}
