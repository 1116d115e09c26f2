/** Milliseconds that the last bytes of an answer take to be on their way. */
const onItsWayMs = 1

/** Resolves when what is about to be sent has been: for work that no client should wait for. */
export function afterAnswer(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, onItsWayMs)
  })
}
