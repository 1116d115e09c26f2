import { joinChunks } from '../../../shared/bytes/join-chunks.ts'

/** Bytes an unfinished event may have; none of our events comes near that. */
const maxEventBytes = 4 * 1024 * 1024

const newline = 0x0a

/**
 * Holds back the part of an event whose end has not arrived yet. Each byte is inspected once and copied at most twice.
 */
export class UnfinishedEvent {
  readonly #chunks: Uint8Array[] = []
  #size = 0

  get isEmpty(): boolean {
    return this.#size === 0
  }

  /** @returns all complete events so far, or undefined when there are none */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const isTooLong = this.#size + chunk.byteLength > maxEventBytes
    const end = isTooLong ? chunk.byteLength : endOfLastEvent(chunk, this.#chunks.at(-1)?.at(-1))
    const whole =
      end === 0 ? undefined : joinChunks([...this.#chunks.splice(0), chunk.subarray(0, end)])
    // A copy: the memory of a chunk may be used for the next one.
    const rest = chunk.slice(end)
    if (rest.byteLength > 0) this.#chunks.push(rest)
    this.#size = (end === 0 ? this.#size : 0) + rest.byteLength
    return whole
  }
}

/**
 * The length of `bytes` up to and including the last empty line, which ends an event; 0 if there is none.
 * @param before the byte before them
 */
function endOfLastEvent(bytes: Uint8Array, before?: number): number {
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    if (bytes[at] === newline && (at > 0 ? bytes[at - 1] : before) === newline) return at + 1
  }
  return 0
}
