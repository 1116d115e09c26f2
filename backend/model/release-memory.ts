/** Its other end is closed: whatever is handed to it is gone. */
const nowhere = new MessageChannel().port1
nowhere.close()

/**
 * Gives memory back at once instead of when garbage is collected: cache memory is large and bounded, and garbage is
 * collected when it pleases. Views of the buffer are empty from then on.
 */
export function releaseMemory(buffer: ArrayBuffer): void {
  nowhere.postMessage(undefined, [buffer])
}
