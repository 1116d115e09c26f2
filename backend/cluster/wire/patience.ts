import { whenAborted } from '../../../shared/async/when-aborted.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import type { TimeLimits } from '../engine/time-limits.ts'

/** What is waited for. */
export type Phase = 'headers' | 'first_token' | 'gap'

const limitOf = { headers: 'headersMs', first_token: 'firstTokenMs', gap: 'gapMs' } as const
const nameOf = { headers: 'no head', first_token: 'no token', gap: 'no further token' } as const

/**
 * The end of waiting for an engine. Only waiting counts: a slow reader is not the engine's fault. And only progress
 * ends the wait, so bytes without any, such as comments, gain an engine nothing.
 */
export class Patience {
  readonly #limits: TimeLimits
  readonly #controller = new AbortController()
  readonly #stopListening: () => void
  #timer: NodeJS.Timeout | undefined
  #problem: EngineProblem | undefined

  constructor(limits: TimeLimits, caller: AbortSignal) {
    this.#limits = limits
    this.#stopListening = whenAborted(caller, () => this.#controller.abort(caller.reason))
  }

  /** Fires when time is up, when the caller's signal does, and at the end. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What there is to say about the engine when time was up. */
  get problem(): EngineProblem | undefined {
    return this.#problem
  }

  wait(phase: Phase): void {
    this.rest()
    const ms = this.#limits[limitOf[phase]]
    this.#timer = setTimeout(() => {
      const kind = phase === 'headers' ? 'fault' : 'broken'
      this.#problem = new EngineProblem(kind, `${nameOf[phase]} within ${ms} ms`)
      this.#controller.abort(this.#problem)
    }, ms)
  }

  rest(): void {
    clearTimeout(this.#timer)
  }

  /** The work is over: whatever of it is still under way ends. */
  end(): void {
    this.rest()
    this.#stopListening()
    this.#controller.abort()
  }
}
