import { setImmediate as nextImmediate } from 'node:timers/promises'
import { ServiceError } from '../../shared/api/errors.ts'
import type { Model } from '../model/model.ts'
import { abortError } from './abort-error.ts'
import { admit, tokenLimitOf } from './admission.ts'
import { Bell } from './bell.ts'
import type { CacheLimits } from './cache-limits.ts'
import { CacheMemory } from './cache-memory.ts'
import type { Engine, EngineEvent, EngineSnapshot, GenerateJob } from './job.ts'
import { observe, promptTokensBeside, unknownPace } from './pacer.ts'
import { planStep, streamsOfSmallTenants } from './scheduler.ts'
import { createSequence, type Sequence } from './sequence.ts'
import type { StepLimits, StepPlan } from './step-plan.ts'
import { Throughput } from './throughput.ts'
import { checkLogitBias } from './token-penalties.ts'
import { VisionStage } from './vision-stage.ts'
import { WaitingLine } from './waiting-line.ts'
import { workPerSampledToken } from './work.ts'

/** Beside streams the pace allows less. Alone, 512 tokens use the matrix kernels well; more would only delay arrivals. */
const defaultStepTokenBudget = 512
const defaultPrefillChunkTokens = 512

/**
 * Chunk of the deterministic mode: where chunks begin and end decides the order in which attention sums up, so there it
 * may depend on the prompt alone. Small, for it is also the pause that streams see.
 */
const deterministicChunkTokens = 64

interface EngineOptions extends Partial<StepLimits> {
  /** The engine alone calls it from now on. */
  readonly model: Model
  /** Most jobs that may wait for a slot. */
  readonly queueLimit: number
  /** Nothing is limited or kept unless given. */
  readonly caches?: CacheLimits
  /** Most estimated work that may wait, in prompt tokens. Unlimited unless given. */
  readonly queueWorkLimit?: number
  /** Shares of tenants, more than 0; 1 for those not named. */
  readonly tenantWeights?: ReadonlyMap<string, number>
  /** Answers do not depend on what else runs, to the last bit; streams pause longer while prompts are read. */
  readonly deterministic?: boolean
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
  /** Lets arrivals, cancellations and readers have their turn between steps. */
  readonly yieldToEvents?: () => Promise<unknown>
}

/** An engine in this process. */
interface LocalEngine extends Engine {
  /** Ends all jobs with `shutting_down` and settles when the model is no longer in use. The model stays open. */
  close(): Promise<void>
}

/**
 * Runs many jobs on one model: one loop, which plans a step, runs it and hands out its tokens, as long as there is a
 * job. Between jobs nothing runs. A failure of the slot bookkeeping is a bug that nothing in here can repair; it
 * is left unhandled, so that it ends the process and its supervisor starts a fresh one.
 * @throws {RangeError} when the step budget cannot hold one token for every slot
 */
export function createEngine(options: EngineOptions): LocalEngine {
  return new StepEngine(options)
}

class StepEngine implements LocalEngine {
  readonly #model: Model
  readonly #memory: CacheMemory
  readonly #vision: VisionStage
  readonly #queueLimit: number
  readonly #queueWorkLimit: number
  readonly #deterministic: boolean
  readonly #limits: StepLimits
  readonly #now: () => number
  readonly #yieldToEvents: () => Promise<unknown>
  readonly #waiting: WaitingLine<Sequence>
  /** Taken from the line; it starts as soon as there is a slot and memory. */
  #next: Sequence | undefined
  /** Taken from the line, and not ended in all their choices. */
  #started: Sequence[] = []
  /** Sequences that hold a slot, longest first. */
  #running: Sequence[] = []
  #steps = 0
  /** Rounds of the loop; not every one has a step. */
  #turn = 0
  #pace = unknownPace
  readonly #throughput = new Throughput()
  /** Rings when a loop with nothing to step may have something to do. */
  readonly #news = new Bell()
  #loop: Promise<void> | undefined
  #closed = false

  constructor(options: EngineOptions) {
    this.#model = options.model
    this.#queueLimit = options.queueLimit
    this.#queueWorkLimit = options.queueWorkLimit ?? Infinity
    this.#waiting = new WaitingLine(options.tenantWeights ?? new Map())
    this.#deterministic = options.deterministic ?? false
    this.#limits = {
      stepTokenBudget: options.stepTokenBudget ?? defaultStepTokenBudget,
      prefillChunkTokens: options.prefillChunkTokens ?? defaultPrefillChunkTokens,
    }
    if (this.#limits.stepTokenBudget < options.model.info.slots) {
      throw new RangeError('The step token budget is below the number of slots')
    }
    const { caches = {}, model } = options
    const restoreUnit = this.#deterministic ? deterministicChunkTokens : undefined
    this.#memory = new CacheMemory(model, caches, restoreUnit)
    this.#vision = new VisionStage(model, caches.imageBytes ?? 0, () => this.#news.ring())
    this.#now = options.now ?? (() => performance.now())
    this.#yieldToEvents = options.yieldToEvents ?? (() => nextImmediate())
  }

  async *generate(
    job: GenerateJob,
    signal: AbortSignal,
    enough: readonly AbortSignal[] = [],
  ): AsyncGenerator<EngineEvent, void> {
    if (signal.aborted) throw abortError(signal)
    const { sequence, position } = this.#accept(job)
    enough.forEach((choiceSignal, choice) => {
      const onEnough = () => this.#stopChoice(sequence, choice)
      choiceSignal.addEventListener('abort', onEnough, { once: true })
    })
    const onAbort = () => this.#cancel(sequence, abortError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    const deadline = this.#ringAfter(job.timeoutMs)
    try {
      yield { type: 'queued', position }
      yield* sequence.events.read()
    } finally {
      clearTimeout(deadline)
      signal.removeEventListener('abort', onAbort)
      this.#cancel(sequence, abortError(signal))
    }
  }

  snapshot(): EngineSnapshot {
    return {
      slots: this.#model.info.slots,
      slotsInUse: this.#running.length,
      queued: this.#waiting.size + (this.#next === undefined ? 0 : 1),
      queuedInteractive: this.#waiting.sizeOf('interactive'),
      queuedBatch: this.#waiting.sizeOf('batch'),
      queueLimit: this.#queueLimit,
      queuedWork: this.#waiting.work,
      queueWorkLimit: this.#queueWorkLimit,
      workPerSecond: this.#throughput.workPerSecond,
      cachedTokens: this.#running.reduce((sum, sequence) => sum + sequence.cachedTokens, 0),
      memory: {
        limitTokens: this.#memory.limitTokens,
        bytesPerToken: this.#model.info.cacheBytesPerToken,
        slotTokens: this.#memory.slotTokens,
        prefixTokens: this.#memory.prefixTokens,
        imageBytes: this.#vision.cachedBytes,
      },
      visionRuns: this.#vision.runs,
      steps: this.#steps,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = new ServiceError('shutting_down', 'The server is shutting down')
    for (const sequence of [...this.#waiting, ...this.#started]) this.#cancel(sequence, error)
    await this.#loop
  }

  #accept(job: GenerateJob): { sequence: Sequence; position: number } {
    if (this.#closed) throw new ServiceError('shutting_down', 'The server is shutting down')
    this.#checkJob(job)
    const { info } = this.#model
    const tokenLimit = tokenLimitOf({
      promptTokens: job.promptIds.length,
      maxTokens: job.maxTokens,
      contextTokens: Math.min(info.contextTokens, this.#memory.limitTokens),
    })
    const sequence = createSequence(job, tokenLimit, info, this.#now)
    const counts = {
      waiting: this.#waiting.size,
      waitingWork: this.#waiting.work,
      waitingOfTenant: this.#waiting.waitingOf(job.tenant),
      freeSlots: this.#freeSlots(),
      queueLimit: this.#queueLimit,
      queueWorkLimit: this.#queueWorkLimit,
      work: sequence.estimatedWork,
    }
    admit(counts, (work) => this.#throughput.secondsFor(work))
    const position = Math.max(0, this.#waiting.before(job) - this.#freeSlots())
    this.#waiting.add(sequence)
    this.#news.ring()
    this.#loop ??= this.#run()
    return { sequence, position }
  }

  #checkJob({ id, promptIds, maxTokens, sampling }: GenerateJob): void {
    checkLogitBias(sampling, this.#model.info.vocabSize)
    if (promptIds.length < 1 || maxTokens < 1) {
      throw new RangeError('A job needs at least one token of prompt and of answer')
    }
    const active = [...this.#waiting, ...this.#started, ...this.#running].some(
      (sequence) => sequence.id === id && sequence.status !== 'ended',
    )
    if (active) throw new RangeError('A job with this id is running')
  }

  /** A sequence with a slot keeps it until the loop is between steps. */
  #cancel(sequence: Sequence, error: Error): void {
    sequence.fail(error)
    this.#waiting.remove(sequence)
    this.#news.ring()
  }

  /** A deadline ends a sequence also while the loop sleeps. */
  #ringAfter(timeoutMs: number | undefined): NodeJS.Timeout | undefined {
    if (timeoutMs === undefined) return undefined
    // Timers may be early by less than a millisecond.
    return setTimeout(() => this.#news.ring(), Math.ceil(timeoutMs) + 1)
  }

  #stopChoice(sequence: Sequence, choice: number): void {
    sequence.stopChoice(choice)
    this.#news.ring()
  }

  async #run(): Promise<void> {
    // Jobs that arrive in the same turn start together, and the first sees its `queued` event before it starts.
    await this.#yieldToEvents()
    let sinceMs = this.#now()
    while (
      this.#waiting.size + this.#started.length + this.#running.length > 0 ||
      this.#vision.busy
    ) {
      this.#turn += 1
      this.#freeEndedSlots()
      this.#fillFreeSlots()
      this.#forkIntoFreeSlots()
      const visionWork = this.#vision.advance(this.#running)
      const stepWork = await this.#runStep()
      this.#freeEndedSlots()
      this.#throughput.worked(visionWork + (stepWork ?? 0), this.#now() - sinceMs)
      sinceMs = this.#now()
      await this.#yieldToEvents()
      if (stepWork === undefined && this.#vision.busy) await this.#news.heard()
    }
    this.#loop = undefined
  }

  #freeSlots(): number {
    return this.#model.info.slots - this.#running.length
  }

  #freeEndedSlots(): void {
    this.#endOverdue()
    this.#settleEnded()
    this.#running = this.#running.flatMap((sequence) => {
      if (sequence.status !== 'ended') return [sequence]
      const { heir, slot } = sequence
      // Rows that steps of one token made are not those that chunks would make, to the last bit.
      if (sequence.finished && !this.#deterministic) this.#memory.remember(slot, sequence)
      if (heir === undefined) {
        this.#memory.close(slot)
        return []
      }
      this.#memory.inherit(slot, heir)
      heir.join(slot)
      return [heir]
    })
  }

  #endOverdue(): void {
    for (const sequence of [...this.#waiting, ...this.#started]) {
      sequence.expire()
      if (sequence.requestEnded) this.#waiting.remove(sequence)
    }
  }

  /** What ended jobs really cost decides who is next. */
  #settleEnded(): void {
    this.#started = this.#started.filter((sequence) => {
      if (!sequence.requestEnded) return true
      this.#waiting.settle(sequence, sequence.work)
      this.#throughput.ended(sequence.estimatedWork, sequence.work)
      return false
    })
  }

  /** Further choices of a prompt that is read get the slots nobody else waits for; their request has one at least. */
  #forkIntoFreeSlots(): void {
    for (const sequence of this.#running.slice()) {
      for (let free = this.#freeSlots(); free > 0; free--) {
        const { waitingChoice } = sequence
        if (waitingChoice === undefined || !this.#memory.hasRoomFor(waitingChoice)) break
        waitingChoice.join(this.#memory.fork(sequence.slot, waitingChoice))
        this.#running.push(waitingChoice)
      }
    }
  }

  /** Who is next waits for memory, too; nobody passes it by, or long prompts would wait for ever. */
  #fillFreeSlots(): void {
    if (this.#next?.status === 'ended') this.#next = undefined
    while (this.#freeSlots() > 0) {
      this.#next ??= this.#takeNext()
      if (this.#next === undefined || !this.#memory.hasRoomFor(this.#next)) return
      const { slot, restoredTokens } = this.#memory.open(this.#next)
      this.#next.start(slot, restoredTokens)
      this.#running.push(this.#next)
      this.#next = undefined
    }
  }

  #takeNext(): Sequence | undefined {
    const sequence = this.#waiting.take()
    if (sequence !== undefined) this.#started.push(sequence)
    return sequence
  }

  /** @returns the work it was, in prompt tokens; undefined when there was nothing to run */
  async #runStep(): Promise<number | undefined> {
    const ready = this.#running.filter((sequence) => this.#hasMemory(sequence))
    const plan = planStep(ready, this.#stepLimits(), this.#turn)
    if (plan.length === 0) return undefined
    const startedMs = this.#now()
    const rows = plan.map(({ sequence, tokens }) => sequence.rowOf(tokens))
    this.#steps += 1
    try {
      const logits = await this.#model.step(rows)
      if (logits.length !== rows.filter((row) => row.sample).length) {
        throw new RangeError('The model returned another number of rows than was asked for')
      }
      let next = 0
      plan.forEach((planned, index) => {
        advance(planned, rows[index]!.sample ? logits[next++] : undefined)
      })
      this.#rememberPrompts(plan)
      return this.#measure(plan, this.#now() - startedMs)
    } catch (cause) {
      // Nobody knows what the step left in these caches.
      const error = internalError('Cannot generate an answer: the model failed', cause)
      for (const { sequence } of plan) sequence.fail(error)
      return 0
    }
  }

  /** Whether a step may add a token to its answer; a prompt's memory is granted when it starts. */
  #hasMemory({ status, slot, cachedTokens }: Sequence): boolean {
    return status !== 'decode' || this.#memory.grow(slot, cachedTokens + 1)
  }

  /** Prompts that are read whole now may help others at once, not only when their answer is done. */
  #rememberPrompts(plan: StepPlan<Sequence>): void {
    for (const { sequence, phase } of plan) {
      if (phase === 'prefill' && sequence.status === 'decode') {
        this.#memory.remember(sequence.slot, sequence)
      }
    }
  }

  /** What the next step may carry: beside streams, so much that they keep their pace. */
  #stepLimits(): StepLimits {
    if (this.#deterministic) {
      // A budget would cut the last chunk that does not fit.
      return { stepTokenBudget: Infinity, prefillChunkTokens: deterministicChunkTokens }
    }
    const streams = this.#running.filter(({ status }) => status === 'decode').length
    if (streams === 0) return this.#limits
    const streamsOf = streamsOfSmallTenants(this.#running) ? 'small tenants' : 'any'
    const paced = streams + promptTokensBeside(streams, this.#pace, streamsOf)
    return { ...this.#limits, stepTokenBudget: Math.min(this.#limits.stepTokenBudget, paced) }
  }

  /** @returns the work of the step */
  #measure(plan: StepPlan<Sequence>, ms: number): number {
    const decodeRows = plan.filter(({ phase }) => phase === 'decode').length
    const promptTokens = plan.reduce((sum, { tokens }) => sum + tokens, 0) - decodeRows
    this.#pace = observe(this.#pace, { decodeRows, promptTokens, ms })
    return promptTokens + workPerSampledToken * decodeRows
  }
}

/** Hands a sequence the outcome of its row; its failure is its own. */
function advance(
  { sequence, tokens }: StepPlan<Sequence>[number],
  logits: Float32Array | undefined,
): void {
  if (sequence.status === 'ended') return
  try {
    sequence.advance(tokens, logits)
  } catch (cause) {
    sequence.fail(internalError('Cannot generate an answer: the model failed', cause))
  }
}

function internalError(message: string, cause: unknown): ServiceError {
  return cause instanceof ServiceError ? cause : new ServiceError('internal', message, { cause })
}
