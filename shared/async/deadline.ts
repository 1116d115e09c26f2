/** An abort signal that follows others and also fires when time is up. */
export interface Deadline {
  readonly signal: AbortSignal
  /** True when it was the time, and not another signal, that fired it. */
  readonly expired: boolean
  /** Stops the clock, but still follows the other signals. */
  stopClock(): void
  /** Stops the clock and detaches from the other signals: the work is done. */
  release(): void
}

/**
 * Uses one timer, cleared when done: AbortSignal.timeout() would keep every request's signal alive until its time is
 * up.
 * @param parents usually the client's connection
 */
export function startDeadline(ms: number, ...parents: readonly AbortSignal[]): Deadline {
  const controller = new AbortController()
  let expired = false
  const timer = setTimeout(() => {
    expired = true
    controller.abort(new DOMException('The deadline has passed', 'TimeoutError'))
  }, ms)
  const stopClock = () => clearTimeout(timer)
  const follow = () => {
    stopClock()
    controller.abort(parents.find(({ aborted }) => aborted)?.reason)
  }
  if (parents.some(({ aborted }) => aborted)) follow()
  else for (const parent of parents) parent.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    get expired() {
      return expired
    },
    stopClock,
    release: () => {
      stopClock()
      for (const parent of parents) parent.removeEventListener('abort', follow)
    },
  }
}
