import { after as realAfter, type After } from './timer.ts'

/** The promise's outcome, or undefined if `ms` pass first; the promise itself is left running. */
export function orTimeout<Value>(
  promise: Promise<Value>,
  ms: number,
  after: After = realAfter,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const stop = after(ms, () => resolve(undefined))
    promise.then(resolve, reject)
    promise.then(stop, stop)
  })
}

/** Whether the promise resolves before `ms` pass. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return (
    (await orTimeout(
      promise.then(() => true),
      ms,
    )) ?? false
  )
}

/**
 * The promise's outcome, if it comes in time.
 * @param message of the error to reject with otherwise
 */
export async function withinTime<Value>(
  answer: Value | Promise<Value>,
  ms: number,
  message: string,
): Promise<Value> {
  const settled = Promise.resolve(answer).then((value) => ({ value }))
  const outcome = await orTimeout(settled, ms)
  if (outcome === undefined) throw new Error(message)
  return outcome.value
}
