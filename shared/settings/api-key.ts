import * as z from 'zod'

/** Characters: 24 random hexadecimal digits are 96 bits, beyond guessing at any rate. */
const leastChars = 24

/** Different characters: random digits have more, while a word or pattern repeated to this length has fewer. */
const leastDifferent = 8

/** Characters: headers have room for far more, but nobody needs it. */
const mostChars = 256

/** The requirements for API_KEY, and how to make one. */
export const apiKeyAdvice =
  `expected ${leastChars} to ${mostChars} visible ASCII characters, ${leastDifferent} or more of them different, ` +
  'that nobody can guess: make one with `openssl rand -hex 24`'

/** Whether a root key is long and varied enough. It has every scope and no limits, so it must not be a password. */
export function isStrongApiKey(key: string): boolean {
  const isSendable = /^[\x21-\x7e]+$/.test(key) && key.length <= mostChars
  return isSendable && key.length >= leastChars && new Set(key).size >= leastDifferent
}

export const apiKeySetting = z.string().refine(isStrongApiKey, { error: apiKeyAdvice })
