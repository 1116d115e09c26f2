import { whenAborted } from './when-aborted.ts'

/** The promise's outcome, or the signal's reason, whichever comes first. */
export function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stopListening = whenAborted(signal, () => reject(signal.reason as Error))
    promise.then(resolve, reject)
    promise.then(stopListening, stopListening)
  })
}
