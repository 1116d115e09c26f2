/**
 * Milliseconds that decoding may take before it gives precedence to everything else: photos of 12 megapixels take 400,
 * and the largest pictures 3,000 and more.
 */
const longMs = 1_000

/**
 * When decoding gives precedence to everything else, so that short pictures of others, and the model, hardly notice it.
 * @param estimatedMs what it is expected to take
 * @returns milliseconds from its beginning; 0 for what is known to take long
 */
export function lowersAfterMs(estimatedMs: number): number {
  return estimatedMs >= longMs ? 0 : longMs
}
