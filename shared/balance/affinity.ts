/** Characters of a prompt that decide where it goes: requests that share them share cached work. */
const prefixChars = 1_024

/** Bytes of an image that decide where it goes: beyond the metadata that all pictures of a camera have in common. */
export const imageHeadBytes = 16 * 1024

/** Identifies the text a request begins with, so that equal beginnings go to the same server and its caches. */
export function textAffinity(fields: {
  readonly system_prompt?: string | undefined
  readonly prompt: string
}): string {
  // With a system prompt, that alone, because many requests share it.
  const start = fields.system_prompt ?? fields.prompt
  return `text:${hashText(start.slice(0, prefixChars))}`
}

/**
 * Identifies an image by its first bytes, so that questions about one image go to the server that has processed it.
 */
export function imageAffinity(bytes: Uint8Array): string {
  return `image:${hashBytes(bytes.subarray(0, imageHeadBytes))}`
}

/** 32 bits, well mixed (FNV-1a with the finisher of MurmurHash3): for spreading load, not for security. */
export function hashText(text: string): number {
  return hashBytes(new TextEncoder().encode(text))
}

function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
