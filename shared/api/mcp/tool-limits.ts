/** Images of one call. */
export const maxToolImages = 8

/** Characters of a question. */
export const maxQuestionChars = 8_000

/** Tokens an answer may be asked to have. */
export const maxToolTokens = 2_000

/**
 * Milliseconds until an answer ends with what it has: most clients give up after a minute, and an answer cut short is
 * better than none.
 */
export const toolTimeoutMs = 50_000

/** Tokens of the text that a tool adds to what it was given, with room to spare. */
export const toolPromptTokens = 512

/** Tokens of an answer that is not limited; a page of text takes more than a description. */
export function toolAnswerTokens(tool: unknown): number {
  return tool === 'extract_text' ? 1_500 : 300
}
