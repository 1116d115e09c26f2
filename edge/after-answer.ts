/** Resolves when what is about to be sent has been: for work that no client should wait for. */
export function afterAnswer(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0)
  })
}
