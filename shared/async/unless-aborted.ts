/** The promise's outcome, or the signal's reason, whichever comes first. */
export function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal.reason as Error)
    if (signal.aborted) abandon()
    else signal.addEventListener('abort', abandon, { once: true })
    const stopListening = () => signal.removeEventListener('abort', abandon)
    promise.then(resolve, reject)
    promise.then(stopListening, stopListening)
  })
}
