import type { Usage } from '../api/events.ts'

/**
 * Comment lines in an event stream (WHATWG HTML section 9.2.6) with which the backend reports to the edge what a stream
 * has used and how it ended, whatever its events look like. Each follows the event it belongs to, as an event of its own
 * without data. Clients ignore them.
 */
const [soFar, end, failed] = [': usage', ': end', ': failed']

/**
 * What the answer has used so far, for the edge to settle by if the stream never reaches its end. One a second is enough:
 * the edge counts a token for each event after it.
 */
export function formatUsageComment(usage: Usage): string {
  return `${soFar} ${formatUsage(usage)}\n\n`
}

/** What the whole answer has used. */
export function formatEndComment(usage: Usage): string {
  return `${end} ${formatUsage(usage)}\n\n`
}

/** The code of the error that the stream ended with. */
export function formatFailedComment(code: string): string {
  return `${failed} ${code}\n\n`
}

/** Prompt, image and completion tokens, as written in comments and in the header of a whole answer. */
export function formatUsage(usage: Usage): string {
  return `${usage.prompt_tokens} ${usage.image_tokens} ${usage.completion_tokens}`
}

/** @returns undefined for any other text */
export function parseUsage(text: string): Usage | undefined {
  const counts = /^(\d{1,15}) (\d{1,15}) (\d{1,15})$/.exec(text)?.slice(1)
  if (counts === undefined) return undefined
  const [prompt = 0, image = 0, completion = 0] = counts.map(Number)
  return { prompt_tokens: prompt, image_tokens: image, completion_tokens: completion }
}

/** Bytes of the longest such comment: three numbers of 15 digits, or an error code, and some room. */
export const maxCommentBytes = 64

type StreamComment =
  | { readonly says: 'so far' | 'end'; readonly usage: Usage }
  | { readonly says: 'failed'; readonly code: string }

/**
 * @param line without its line break
 * @returns undefined for a line that is none of these comments
 */
export function readComment(line: string): StreamComment | undefined {
  const [, name, rest = ''] = /^(: \w+) (.+)$/.exec(line) ?? []
  if (name === failed) return { says: 'failed', code: rest }
  const usage = name === soFar || name === end ? parseUsage(rest) : undefined
  return usage && { says: name === end ? 'end' : 'so far', usage }
}

/**
 * Code of the error that a stream ended with. An event's data holds no raw line break, so it cannot be mistaken for a
 * comment.
 */
export function failedCommentCode(text: string): string | undefined {
  return [...text.matchAll(new RegExp(`^${failed} (.+)\n`, 'gm'))].at(-1)?.[1]
}
