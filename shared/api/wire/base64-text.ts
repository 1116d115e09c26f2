/**
 * Whether a text has only characters of base64 and white space; decoding decides the rest. Each character is looked
 * at once: a pattern with white space in two places takes half a second for 16 KB of it.
 */
export function mayBeBase64(text: string): boolean {
  return /^[A-Za-z0-9+/=\s]+$/.test(text)
}
