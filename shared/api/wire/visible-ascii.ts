/** Whether a header's value is 1 to `maxChars` characters that every HTTP library sends and receives unchanged. */
export function isVisibleAscii(text: string, maxChars: number): boolean {
  return text.length <= maxChars && /^[\x21-\x7e]+$/.test(text)
}
