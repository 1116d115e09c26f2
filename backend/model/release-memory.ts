/** A port whose other end is closed: whatever is transferred to it is gone. */
const nowhere = new MessageChannel().port1
nowhere.close()

/**
 * Frees memory immediately instead of when garbage is collected: cache memory is large and bounded, and the time of
 * garbage collection is unpredictable. Views of the buffer are empty from then on.
 */
export function releaseMemory(buffer: ArrayBuffer): void {
  nowhere.postMessage(undefined, [buffer])
}
