import * as z from 'zod'

/** Characters: 24 random hexadecimal digits are 96 bits, out of reach of guessing at any rate. */
const leastChars = 24

/** Different characters: random digits have more, but a word or a pattern repeated until it is long has fewer. */
const leastDifferent = 8

/** Characters: headers have room for far more, but nobody needs it. */
const mostChars = 256

/** What a key for API_KEY must be like, and how to get one. */
export const apiKeyAdvice =
  `expected ${leastChars} to ${mostChars} visible ASCII characters, ${leastDifferent} or more of them different, ` +
  'that nobody can guess: make one with `openssl rand -hex 24`'

/** Whether a root key is long and varied enough. It has every scope and no limits, so it must not be a password. */
export function isStrongApiKey(key: string): boolean {
  const isSendable = /^[\x21-\x7e]+$/.test(key) && key.length <= mostChars
  return isSendable && key.length >= leastChars && new Set(key).size >= leastDifferent
}

export const apiKeySetting = z.string().refine(isStrongApiKey, { error: apiKeyAdvice })
