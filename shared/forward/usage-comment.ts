import type { Usage } from '../api/events.ts'

/**
 * A comment line in an event stream (WHATWG HTML section 9.2.6) with the tokens the answer has used so far: prompt,
 * image and completion. It follows the event whose text it counts, as a separate event without data. Clients ignore
 * it; the edge uses it to settle a stream that does not reach its end.
 */
export function formatUsageComment(usage: Usage): string {
  return `: usage ${usage.prompt_tokens} ${usage.image_tokens} ${usage.completion_tokens}\n\n`
}

/** Bytes of the longest such comment: three numbers of nine digits, and some. */
export const maxUsageCommentBytes = 64

/**
 * The last such comment in a piece of a stream. An event's data holds no raw line break, so it cannot be mistaken for
 * one.
 */
export function lastUsageComment(text: string): Usage | undefined {
  const last = [...text.matchAll(/^: usage (\d+) (\d+) (\d+)\n/gm)].at(-1)
  if (last === undefined) return undefined
  const [prompt = 0, image = 0, completion = 0] = last.slice(1).map(Number)
  return { prompt_tokens: prompt, image_tokens: image, completion_tokens: completion }
}
