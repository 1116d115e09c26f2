import { parseEvents } from '../../shared/api/wire/sse.ts'
import { AnswerError, type LoadApi } from './load-api.ts'

/** Bytes of one streamed answer: 131,072 tokens with 500 bytes of JSON around each. */
const maxAnswerBytes = 64 * 1024 * 1024

/**
 * Measurements of one stream, with times in milliseconds of one clock. They remain valid when the stream breaks off.
 */
export interface StreamTally {
  /** Events that contained text. */
  deltas: number
  firstTokenAtMs: number | undefined
  lastTokenAtMs: number | undefined
  /** Times between events that contained text. */
  readonly gapsMs: number[]
  /** As counted by the server. */
  completionTokens: number | undefined
  /** When the answer was known to be complete. */
  wholeAtMs: number | undefined
}

export function createTally(): StreamTally {
  return {
    deltas: 0,
    firstTokenAtMs: undefined,
    lastTokenAtMs: undefined,
    gapsMs: [],
    completionTokens: undefined,
    wholeAtMs: undefined,
  }
}

/**
 * Reads a stream to its very end, which leaves the connection usable for the next request.
 * @param tally is filled while reading
 * @throws {AnswerError} when the server reports a failure, or the stream ends before the answer does
 */
export async function readAnswer(
  bytes: AsyncIterable<Uint8Array>,
  api: LoadApi,
  tally: StreamTally,
  now: () => number,
): Promise<void> {
  for await (const event of parseEvents(withoutReturns(bytes))) {
    const { hasText, isEnd, completionTokens } = api.readEvent(event)
    const atMs = now()
    if (hasText) countDelta(tally, atMs)
    if (isEnd) tally.wholeAtMs = atMs
    tally.completionTokens = completionTokens ?? tally.completionTokens
  }
  if (tally.wholeAtMs === undefined) throw new AnswerError('incomplete_stream')
}

function countDelta(tally: StreamTally, atMs: number): void {
  tally.deltas += 1
  tally.firstTokenAtMs ??= atMs
  if (tally.lastTokenAtMs !== undefined) tally.gapsMs.push(atMs - tally.lastTokenAtMs)
  tally.lastTokenAtMs = atMs
}

/**
 * Some servers end lines with CR LF. JSON holds no raw CR and UTF-8 uses that byte for nothing else, so all can be
 * removed.
 */
async function* withoutReturns(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of bytes) {
    total += chunk.byteLength
    if (total > maxAnswerBytes) throw new AnswerError('answer_too_large')
    yield chunk.includes(0x0d) ? chunk.filter((byte) => byte !== 0x0d) : chunk
  }
}
