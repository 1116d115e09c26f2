import { defaultSilenceLimits } from '../watchdog.ts'
import { CallTimes } from './call-times.ts'

/** Calls of the model: a step of the decoder, or a piece of image processing. */
export type CallKind = 'step' | 'look'

/** Milliseconds within which waiting or running jobs must see a call of the model: planning takes far less than one. */
const mostPauseMs = 60_000

/**
 * Milliseconds that a call may always take, as long as a process may be silent: a machine with more to do than it has cores
 * leaves a process without one for seconds.
 */
const leastCallMs = defaultSilenceLimits.servingMs

/**
 * Checks, inside the inference process, that its work makes progress. The parent process separately checks for any
 * sign of life. Has no clock.
 */
export class WorkWatch {
  readonly #times: Readonly<Record<CallKind, CallTimes>> = {
    step: new CallTimes(),
    look: new CallTimes(),
  }
  #call: { readonly startedMs: number; readonly boundMs: number } | undefined
  #jobs = 0
  #lastSignMs = 0

  /**
   * @param now milliseconds of a monotonic clock, also in all methods below @returns milliseconds that the call may
   * take
   */
  callBegins(kind: CallKind, size: number, now: number): number {
    const boundMs = this.#times[kind].boundFor(size)
    this.#call = { startedMs: now, boundMs }
    return boundMs
  }

  /** @param size the amount done, which may differ from the amount requested; 0 when the call failed */
  callEnded(kind: CallKind, size: number, now: number): void {
    if (size > 0 && this.#call !== undefined) {
      this.#times[kind].measured(size, now - this.#call.startedMs)
    }
    this.#call = undefined
    this.#lastSignMs = now
  }

  /** @returns milliseconds that the running call may still take; 0 without one */
  callMsLeft(now: number): number {
    return this.#call === undefined ? 0 : this.#call.startedMs + this.#call.boundMs - now
  }

  jobBegins(now: number): void {
    if (this.#jobs === 0) this.#lastSignMs = now
    this.#jobs += 1
  }

  jobEnded(): void {
    this.#jobs -= 1
  }

  /** @returns what is stuck, for the operator */
  problem(now: number): string | undefined {
    if (this.#call !== undefined) {
      const { startedMs } = this.#call
      const boundMs = Math.max(this.#call.boundMs, leastCallMs)
      if (now - startedMs <= boundMs) return undefined
      return `A call of the model takes more than ${Math.round(boundMs)} ms`
    }
    if (this.#jobs === 0 || now - this.#lastSignMs <= mostPauseMs) return undefined
    return `Nothing was done for any of ${this.#jobs} jobs in ${mostPauseMs} ms`
  }
}
