/** Most images in one call. */
export const maxToolImages = 8

/** Longest question, in characters. */
export const maxQuestionChars = 8_000

/** Highest `max_tokens`. */
export const maxToolTokens = 2_000

/**
 * Milliseconds after which an answer ends with the text it has: most clients give up after a minute, and a truncated
 * answer is better than none.
 */
export const toolTimeoutMs = 50_000

/** Upper bound of the tokens that a tool adds to its arguments. */
export const toolPromptTokens = 512

/** Default of `max_tokens`: a page of text takes more than a description. */
export function toolAnswerTokens(tool: unknown): number {
  return tool === 'extract_text' ? 1_500 : 300
}
