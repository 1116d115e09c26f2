import { setImmediate as nextImmediate } from 'node:timers/promises'
import { ServiceError } from '../../shared/api/errors.ts'
import { Constraints } from '../grammar/constraints.ts'
import type { Model } from '../model/model.ts'
import { abortError } from './abort-error.ts'
import { type EngineOptions, limitsOf } from './engine-options.ts'
import type { Engine, EngineEvent, EngineSnapshot, GenerateJob, Generation } from './job.ts'
import { ActiveJob } from './jobs/active-job.ts'
import type { Sequence } from './jobs/sequence.ts'
import { CacheMemory } from './memory/cache-memory.ts'
import { admit, answerTokensOf, tokenLimitOf } from './queue/admission.ts'
import { Throughput } from './queue/throughput.ts'
import { WaitingLine } from './queue/waiting-line.ts'
import { ruleOf } from './sampling/rule-of.ts'
import { checkLogitBias } from './sampling/token-penalties.ts'
import { noSpeculation, Speculation } from './speculation/speculation.ts'
import { Slots } from './turns/slots/slots.ts'
import { StepRunner } from './turns/step-runner.ts'
import { TurnRunner } from './turns/turn-runner.ts'
import { VisionStage } from './turns/vision-stage.ts'

/**
 * Chunk size of the deterministic mode. Chunk boundaries decide the order in which attention sums up, so in this mode
 * they must depend on the prompt alone. Small, because streams pause for a whole chunk.
 */
const deterministicChunkTokens = 64

/** An engine in this process. */
interface LocalEngine extends Engine {
  /** Ends all jobs with `shutting_down` and settles when the model is no longer in use. The model stays open. */
  close(): Promise<void>
}

/**
 * Runs many jobs on one model. While there are jobs, one loop plans a step, runs it and hands out its tokens; without
 * jobs nothing runs. A failure of the slot bookkeeping is a bug that cannot be repaired from within. It is left
 * unhandled, so that it ends the process and the supervisor starts a fresh one.
 * @throws {RangeError} when the step budget cannot hold one token for every slot
 */
export function createEngine(options: EngineOptions): LocalEngine {
  return new StepEngine(options)
}

class StepEngine implements LocalEngine {
  readonly #model: Model
  readonly #options: EngineOptions
  readonly #now: () => number
  readonly #yieldToEvents: () => Promise<unknown>
  readonly #memory: CacheMemory
  readonly #waiting: WaitingLine<ActiveJob>
  readonly #throughput = new Throughput()
  readonly #slots: Slots
  readonly #vision: VisionStage
  readonly #steps: StepRunner
  readonly #turns: TurnRunner
  readonly #constraints: Constraints | undefined
  readonly #speculation: Speculation<Sequence> | undefined
  #turn = 0
  #loop: Promise<void> | undefined
  #closed = false

  constructor(options: EngineOptions) {
    const { model, caches = {}, deterministic = false, speculates = false } = options
    const limits = limitsOf(options)
    const fixedChunkTokens = deterministic ? deterministicChunkTokens : undefined
    this.#model = model
    this.#options = options
    this.#constraints = options.vocabulary && new Constraints(options.vocabulary)
    this.#now = options.now ?? (() => performance.now())
    this.#yieldToEvents = options.yieldToEvents ?? (() => nextImmediate())
    this.#memory = new CacheMemory(model, caches, fixedChunkTokens)
    this.#waiting = new WaitingLine(options.tenantWeights ?? new Map())
    this.#slots = new Slots({
      count: model.info.slots,
      memory: this.#memory,
      waiting: this.#waiting,
      throughput: this.#throughput,
      // Rows computed in steps of one token are not bit-identical to those computed in chunks.
      keepAnswers: !deterministic,
      weightOf: (tenant) => options.tenantWeights?.get(tenant) ?? 1,
      mayPause: (sequence) => !this.#vision.looksFor(sequence),
    })
    this.#vision = new VisionStage(model, caches.imageBytes ?? 0)
    if (speculates) {
      this.#speculation = new Speculation({
        stepTokenBudget: limits.stepTokenBudget,
        mayHold: (slot, tokens) => this.#memory.grow(slot, tokens),
      })
    }
    this.#steps = new StepRunner({
      model,
      memory: this.#memory,
      speculation: this.#speculation,
      now: this.#now,
    })
    this.#turns = new TurnRunner({
      steps: this.#steps,
      vision: this.#vision,
      limits,
      fixedChunkTokens,
      now: this.#now,
      yieldToEvents: this.#yieldToEvents,
    })
  }

  generate(asked: GenerateJob, signal: AbortSignal): Generation {
    let job: ActiveJob | undefined
    const events = this.#events(signal, () => {
      const accepted = this.#accept(asked)
      job = accepted.job
      return accepted
    })
    return { [Symbol.asyncIterator]: () => events, stop: (choice) => job?.stopChoice(choice) }
  }

  async *#events(
    signal: AbortSignal,
    accept: () => { job: ActiveJob; position: number },
  ): AsyncGenerator<EngineEvent, void> {
    if (signal.aborted) throw abortError(signal)
    const { job, position } = accept()
    const onAbort = () => this.#cancel(job, abortError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      yield { type: 'queued', position }
      yield* job.events.read()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(job, abortError(signal))
    }
  }

  snapshot(): EngineSnapshot {
    const { running, paused } = this.#slots
    return {
      slots: this.#model.info.slots,
      slotsInUse: running.length,
      paused: paused.length,
      pauses: this.#slots.pauses,
      queued: this.#slots.queued,
      queuedInteractive: this.#waiting.sizeOf('interactive'),
      queuedBatch: this.#waiting.sizeOf('batch'),
      queueLimit: this.#options.queueLimit,
      queuedWork: this.#waiting.work,
      queueWorkLimit: this.#queueWorkLimit,
      workPerSecond: this.#throughput.workPerSecond,
      cachedTokens: [...running, ...paused].reduce(
        (sum, { cachedTokens }) => sum + cachedTokens,
        0,
      ),
      memory: {
        limitTokens: this.#memory.limitTokens,
        bytesPerToken: this.#model.info.cacheBytesPerToken,
        slotTokens: this.#memory.slotTokens,
        prefixTokens: this.#memory.prefixTokens,
        imageBytes: this.#vision.cachedBytes,
      },
      visionRuns: this.#vision.runs,
      steps: this.#steps.steps,
      phases: this.#turns.phases,
      speculation: this.#speculation?.counts ?? noSpeculation,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = new ServiceError('shutting_down', 'The server is shutting down')
    for (const job of this.#slots.jobs) this.#cancel(job, error)
    await this.#loop
  }

  get #queueWorkLimit(): number {
    return this.#options.queueWorkLimit ?? Infinity
  }

  #accept(asked: GenerateJob): { job: ActiveJob; position: number } {
    if (this.#closed) throw new ServiceError('shutting_down', 'The server is shutting down')
    this.#check(asked)
    const { info } = this.#model
    const promptTokens = asked.promptIds.length
    const answerTokens = answerTokensOf(promptTokens, asked.grantedTokens)
    const tokenLimit = tokenLimitOf({
      promptTokens,
      maxTokens: Math.min(asked.maxTokens, answerTokens),
      contextTokens: Math.min(info.contextTokens, this.#memory.limitTokens),
    })
    const job = new ActiveJob({
      asked,
      tokenLimit,
      answerTokens,
      info,
      now: this.#now,
      openRule: ruleOf(asked, this.#constraints),
    })
    const counts = {
      waiting: this.#waiting.size,
      waitingWork: this.#waiting.work,
      waitingOfTenant: this.#waiting.waitingOf(job.tenant),
      freeSlots: this.#slots.free,
      queueLimit: this.#options.queueLimit,
      queueWorkLimit: this.#queueWorkLimit,
      work: job.estimatedWork,
    }
    admit(counts, (work) => this.#throughput.secondsFor(work))
    const position = Math.max(0, this.#waiting.before(job) - this.#slots.free)
    this.#waiting.add(job)
    this.#loop ??= this.#run()
    return { job, position }
  }

  #check({ id, promptIds, maxTokens, sampling }: GenerateJob): void {
    checkLogitBias(sampling, this.#model.info.vocabSize)
    if (promptIds.length < 1 || maxTokens < 1) {
      throw new RangeError('A job needs at least one token of prompt and of answer')
    }
    if (this.#slots.jobs.some((job) => job.id === id && !job.ended)) {
      throw new RangeError('A job with this id is running')
    }
  }

  /** A sequence with a slot keeps it until the loop is between steps. */
  #cancel(job: ActiveJob, error: Error): void {
    job.fail(error)
    this.#waiting.remove(job)
  }

  async #run(): Promise<void> {
    // Jobs that arrive in the same turn start together, and the first one's `queued` event precedes its start.
    await this.#yieldToEvents()
    let sinceMs = this.#now()
    while (!this.#slots.idle) {
      this.#turn += 1
      this.#slots.takeBack()
      this.#slots.handOut(this.#turn)
      const visionWork = this.#vision.beforeTurn(this.#slots.running)
      const stepWork = await this.#turns.run(this.#slots.running, this.#turn)
      this.#slots.takeBack()
      this.#throughput.worked(visionWork + stepWork, this.#now() - sinceMs)
      sinceMs = this.#now()
      await this.#yieldToEvents()
    }
    this.#vision.beforeTurn([])
    this.#loop = undefined
  }
}
