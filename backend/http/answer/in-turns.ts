import { setImmediate as nextTurn } from 'node:timers/promises'
import { joinPieces, jsonPieces } from '../../../shared/api/wire/json-pieces.ts'

/** Text that may be long, written alternately with other work. @param end follows the last piece */
export async function* inTurns(pieces: Iterable<string>, end: string): AsyncGenerator<string> {
  let text = ''
  for (const piece of joinPieces(pieces)) {
    if (text !== '') {
      yield text
      await nextTurn()
    }
    text = piece
  }
  yield text + end
}

/**
 * A value as JSON, with a newline after it. Written at once, an answer with the most log probabilities would take a
 * third of a second.
 */
export async function jsonInTurns(value: unknown): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  for await (const text of inTurns(jsonPieces(value), '\n')) chunks.push(Buffer.from(text))
  return Buffer.concat(chunks)
}
