/** Calls once when the signal fires, or at once if it has. @returns stops waiting for it */
export function whenAborted(signal: AbortSignal, call: () => void): () => void {
  if (signal.aborted) {
    call()
    return () => {}
  }
  signal.addEventListener('abort', call, { once: true })
  return () => signal.removeEventListener('abort', call)
}
