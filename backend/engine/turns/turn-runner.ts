import type { Sequence } from '../jobs/sequence.ts'
import { workPerSampledToken } from '../queue/work.ts'
import { normalGap, observe, unknownPace, type Readers } from './pace.ts'
import type { PhaseTimes } from '../job.ts'
import { noPhaseTimes, withLook, withStep } from './phase-times.ts'
import { allowedBeside, workIn, type Allowance } from './allowance.ts'
import { promptsOfSmallTenants, streamsOfSmallTenants } from './scheduler.ts'
import type { StepLimits } from './step-plan.ts'
import type { StepRunner } from './step-runner.ts'
import type { VisionStage } from './vision-stage.ts'

/**
 * How long an image is processed in one go when there is nothing else to do. New arrivals and cancellations wait this
 * long.
 */
const looksAloneMs = 500

interface TurnRunnerOptions {
  readonly steps: StepRunner
  readonly vision: VisionStage
  /** Limits of steps without streams. */
  readonly limits: StepLimits
  /** Tokens of every prompt chunk, in the mode where they may not depend on what else runs. */
  readonly fixedChunkTokens: number | undefined
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly yieldToEvents: () => Promise<unknown>
}

/**
 * The engine's turns: a step of the decoder and then a piece of image processing, as much of each as streams can wait
 * for.
 */
export class TurnRunner {
  readonly #options: TurnRunnerOptions
  #pace = unknownPace
  #phases = noPhaseTimes

  constructor(options: TurnRunnerOptions) {
    this.#options = options
  }

  /** How long all steps and looks so far took. */
  get phases(): PhaseTimes {
    return this.#phases
  }

  /**
   * @param running sequences that hold a slot, the longest-held first
   * @param turn number of the turn
   * @returns the work of the step, in prompt tokens; an image's work counts when it is done
   */
  async run(running: readonly Sequence[], turn: number): Promise<number> {
    const { steps, vision, now, yieldToEvents } = this.#options
    const ready = steps.ready(running)
    const readers = readersOf(ready)
    const allowed = this.#allowed(ready, readers)
    const costOf = this.#costsAlone(readers)
    const step = await steps.run(ready, this.#stepLimits(ready, allowed), turn, costOf)
    const { decodeRows = 0, streamTokens = 0, promptTokens = 0, ms: stepMs = 0 } = step ?? {}
    const work =
      readers.images === 0 ? 0 : (allowed?.visionWork ?? this.#workAlone(stepMs, readers))
    // Tokens leave before the image is processed, and cancellations are noticed.
    if (work > 0 && step !== undefined) await yieldToEvents()
    const startedMs = now()
    const visionWork = work === 0 ? 0 : await vision.look(running, turn, work)
    const visionMs = now() - startedMs
    const measured = { decodeRows, promptTokens, visionWork, readers, stepMs, visionMs }
    this.#pace = observe(this.#pace, measured)
    this.#phases = withLook(withStep(this.#phases, step), visionWork, visionMs)
    return promptTokens + workPerSampledToken * streamTokens
  }

  /** Milliseconds of a step of streams by its number of tokens, as far as known; undefined where others read: their time is theirs. */
  #costsAlone({ prompts, images }: Readers): ((rows: number) => number) | undefined {
    if (prompts + images > 0) return undefined
    return (rows) => normalGap(this.#pace, rows) ?? 0
  }

  /** What keeps the pace of streams, if there are any; otherwise undefined. */
  #allowed(ready: readonly Sequence[], readers: Readers): Allowance | undefined {
    const streams = countOf(ready, 'decode')
    if (streams === 0 || this.#options.fixedChunkTokens !== undefined) return undefined
    const streamsOf = streamsOfSmallTenants(ready) ? 'small tenants' : 'any'
    const allowed = allowedBeside(streams, this.#pace, readers, streamsOf)
    if (allowed.promptTokens === 0 || !promptsOfSmallTenants(ready)) return allowed
    // A short question is read within a few steps, which take at most twice as long with as many tokens again.
    return { ...allowed, promptTokens: Math.max(allowed.promptTokens, streams) }
  }

  #stepLimits(ready: readonly Sequence[], allowed: Allowance | undefined): StepLimits {
    const { fixedChunkTokens, limits } = this.#options
    if (fixedChunkTokens !== undefined) {
      // A budget would shorten the last chunk that does not fit.
      return { stepTokenBudget: Infinity, prefillChunkTokens: fixedChunkTokens }
    }
    if (allowed === undefined) return limits
    const paced = countOf(ready, 'decode') + allowed.promptTokens
    return { ...limits, stepTokenBudget: Math.min(limits.stepTokenBudget, paced) }
  }

  /** Where no stream sets the pace, an image gets as much time as each of the prompts being read. */
  #workAlone(stepMs: number, { prompts }: Readers): number {
    const ms = stepMs === 0 ? looksAloneMs : stepMs / Math.max(1, prompts)
    return Math.max(1, workIn(this.#pace, ms))
  }
}

function readersOf(ready: readonly Sequence[]): Readers {
  return {
    prompts: countOf(ready, 'prefill'),
    images: Math.min(1, countOf(ready, 'vision')),
  }
}

function countOf(sequences: readonly Sequence[], phase: 'decode' | 'prefill' | 'vision'): number {
  return sequences.filter(({ status }) => status === phase).length
}
