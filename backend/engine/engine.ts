import { setImmediate as nextImmediate } from 'node:timers/promises'
import { ServiceError } from '../../shared/api/errors.ts'
import type { Model } from '../model/model.ts'
import { abortError } from './abort-error.ts'
import { admit } from './admission.ts'
import type { Engine, EngineEvent, EngineSnapshot, GenerateJob } from './job.ts'
import { chooseAdmissions, chooseImage, planStep } from './scheduler.ts'
import { createSequence, type Sequence } from './sequence.ts'
import type { StepLimits, StepPlan } from './step-plan.ts'

/** Two prompts' chunks beside the decode rows: large enough for the weights to be read once for many tokens. */
const defaultStepTokenBudget = 512

/** A chunk is the longest pause a running stream sees; 256 tokens already use the matrix kernels well. */
const defaultPrefillChunkTokens = 256

interface EngineOptions extends Partial<StepLimits> {
  /** The engine alone calls it from now on. */
  readonly model: Model
  /** Most jobs that may wait for a slot. */
  readonly queueLimit: number
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
  readonly #queueLimit: number
  readonly #limits: StepLimits
  readonly #now: () => number
  readonly #yieldToEvents: () => Promise<unknown>
  #waiting: Sequence[] = []
  /** Sequences that hold a slot, longest first. */
  #running: Sequence[] = []
  #steps = 0
  #loop: Promise<void> | undefined
  #closed = false

  constructor(options: EngineOptions) {
    this.#model = options.model
    this.#queueLimit = options.queueLimit
    this.#limits = {
      stepTokenBudget: options.stepTokenBudget ?? defaultStepTokenBudget,
      prefillChunkTokens: options.prefillChunkTokens ?? defaultPrefillChunkTokens,
    }
    if (this.#limits.stepTokenBudget < options.model.info.slots) {
      throw new RangeError('The step token budget is below the number of slots')
    }
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
      choiceSignal.addEventListener('abort', () => sequence.stopChoice(choice), { once: true })
    })
    const onAbort = () => this.#cancel(sequence, abortError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      yield { type: 'queued', position }
      yield* sequence.events.read()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(sequence, abortError(signal))
    }
  }

  snapshot(): EngineSnapshot {
    return {
      slots: this.#model.info.slots,
      slotsInUse: this.#running.length,
      queued: this.#waiting.length,
      queueLimit: this.#queueLimit,
      cachedTokens: this.#running.reduce((sum, sequence) => sum + sequence.cachedTokens, 0),
      steps: this.#steps,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const error = new ServiceError('shutting_down', 'The server is shutting down')
    for (const sequence of [...this.#waiting, ...this.#running]) this.#cancel(sequence, error)
    await this.#loop
  }

  #accept(job: GenerateJob): { sequence: Sequence; position: number } {
    if (this.#closed) throw new ServiceError('shutting_down', 'The server is shutting down')
    this.#checkJob(job)
    const { info } = this.#model
    const { tokenLimit, position } = admit({
      promptTokens: job.promptIds.length,
      maxTokens: job.maxTokens,
      contextTokens: info.contextTokens,
      waiting: this.#waiting.length,
      freeSlots: this.#freeSlots(),
      queueLimit: this.#queueLimit,
    })
    const sequence = createSequence(job, tokenLimit, info, this.#now)
    this.#waiting.push(sequence)
    this.#loop ??= this.#run()
    return { sequence, position }
  }

  #checkJob({ id, promptIds, maxTokens }: GenerateJob): void {
    if (promptIds.length < 1 || maxTokens < 1) {
      throw new RangeError('A job needs at least one token of prompt and of answer')
    }
    const active = [...this.#waiting, ...this.#running].some(
      (sequence) => sequence.id === id && sequence.status !== 'ended',
    )
    if (active) throw new RangeError('A job with this id is running')
  }

  /** A sequence with a slot keeps it until the loop is between steps. */
  #cancel(sequence: Sequence, error: Error): void {
    sequence.fail(error)
    this.#waiting = this.#waiting.filter((other) => other !== sequence)
  }

  async #run(): Promise<void> {
    // Jobs that arrive in the same turn start together, and the first sees its `queued` event before it starts.
    await this.#yieldToEvents()
    while (this.#waiting.length + this.#running.length > 0) {
      this.#freeEndedSlots()
      this.#fillFreeSlots()
      this.#forkIntoFreeSlots()
      await this.#encodeNextImage()
      await this.#runStep()
      this.#freeEndedSlots()
      await this.#yieldToEvents()
    }
    this.#loop = undefined
  }

  #freeSlots(): number {
    return this.#model.info.slots - this.#running.length
  }

  #freeEndedSlots(): void {
    this.#running = this.#running.flatMap((sequence) => {
      if (sequence.status !== 'ended') return [sequence]
      const { heir, slot } = sequence
      if (heir === undefined) {
        this.#model.closeSlot(slot)
        return []
      }
      this.#model.truncateSlot(slot, heir.promptTokens)
      heir.join(slot)
      return [heir]
    })
  }

  /** Further choices of a prompt that is read get the slots nobody else waits for; their request has one at least. */
  #forkIntoFreeSlots(): void {
    for (const sequence of [...this.#running]) {
      for (let free = this.#freeSlots(); free > 0; free--) {
        const { waitingChoice } = sequence
        if (waitingChoice === undefined) break
        waitingChoice.join(this.#model.forkSlot(sequence.slot, sequence.promptTokens))
        this.#running.push(waitingChoice)
      }
    }
  }

  #fillFreeSlots(): void {
    const admitted = chooseAdmissions(this.#waiting, this.#freeSlots())
    this.#waiting = this.#waiting.slice(admitted.length)
    for (const sequence of admitted) {
      sequence.start(this.#model.openSlot())
      this.#running.push(sequence)
    }
  }

  async #encodeNextImage(): Promise<void> {
    const sequence = chooseImage(this.#running)
    if (sequence === undefined) return
    try {
      const features = await this.#model.encodeImage(sequence.nextImage)
      if (sequence.status === 'vision') sequence.addFeatures(features)
    } catch (cause) {
      sequence.fail(internalError('Cannot describe the image: the vision model failed', cause))
    }
    await this.#yieldToEvents()
    this.#freeEndedSlots()
  }

  async #runStep(): Promise<void> {
    const plan = planStep(this.#running, this.#limits)
    if (plan.length === 0) return
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
    } catch (cause) {
      // Nobody knows what the step left in these caches.
      const error = internalError('Cannot generate an answer: the model failed', cause)
      for (const { sequence } of plan) sequence.fail(error)
    }
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
