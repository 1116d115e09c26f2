import { randomUUID } from 'node:crypto'
import { ServiceError } from '../../../shared/api/errors.ts'
import { maxJsonBytes } from '../../../shared/api/limits.ts'
import { parseJsonBytes } from '../../../shared/api/wire/parse-json.ts'
import { ChunkList } from '../../../shared/bytes/chunk-list.ts'

/** Bytes beyond which a string that may be an image is lifted out of the JSON. Shorter ones are parsed quickly. */
const liftedBytes = 16 * 1024

/** Where images stand in a JSON text. */
export interface ImagePlaces {
  /** What comes right before an image, its opening quote included. */
  readonly before: RegExp
  /** Whether that may be a list's bracket or comma. */
  readonly inLists: boolean
}

const imageFields: ImagePlaces = { before: /"(?:url|data|image_url)"\s*:\s*"$/, inLists: false }

/** The most bytes of such a field's name and the white space around its colon. */
const fieldBytes = 64

const [quote, backslash, colon, comma, bracket] = [0x22, 0x5c, 0x3a, 0x2c, 0x5b]

/** A long string of a JSON text: its raw bytes, escapes included. */
export type LiftedString = readonly Uint8Array[]

export interface LiftedJson {
  /** The parsed body, with references in place of the lifted strings. */
  readonly value: unknown
  /** The string behind a reference; undefined for any other text. References cannot be guessed. */
  readonly lifted: (text: string) => LiftedString | undefined
}

/**
 * Reads a JSON body as it arrives, and sets long strings aside where images may be: if they were parsed with the
 * rest, they would block everything else for half a second, and would be held three times. Every byte is looked at
 * once, or twice in a long string.
 */
export class LiftingReader {
  readonly #places: ImagePlaces
  readonly #nonce = randomUUID()
  readonly #text = new ChunkList()
  readonly #strings: LiftedString[] = []
  #textBytes = 0
  /** The last bytes of the previous chunk, as far as they may name a field. */
  #latest = ''
  #inString = false
  /** Number of backslashes at the end of the string so far. */
  #backslashes = 0
  /** The string that is being read, if it may be an image. */
  #image: { readonly pieces: ChunkList; bytes: number } | undefined

  constructor(places: ImagePlaces = imageFields) {
    this.#places = places
  }

  /** @param chunk is partly kept and must not change. @throws {ServiceError} `body_too_large` */
  push(chunk: Uint8Array): void {
    let textFrom = 0
    let at = 0
    while (at < chunk.length) {
      const found = this.#inString ? this.#closingQuote(chunk, at) : chunk.indexOf(quote, at)
      const end = found < 0 ? chunk.length : found
      if (this.#image !== undefined) {
        this.#hold(this.#image, chunk.subarray(at, end))
        textFrom = end
      }
      if (found < 0) break
      const behind = this.#inString ? -1 : this.#endOfShortString(chunk, found)
      if (behind >= 0) {
        at = behind
        continue
      }
      if (this.#inString) this.#closeString()
      else if (this.#openString(chunk, found)) {
        this.#pushText(chunk.subarray(textFrom, found + 1))
        textFrom = found + 1
      }
      at = found + 1
    }
    this.#pushText(chunk.subarray(textFrom))
    this.#latest = (this.#latest + latin1(chunk.subarray(-fieldBytes))).slice(-fieldBytes)
  }

  /** @throws {ServiceError} `invalid_json` */
  end(): LiftedJson {
    const value = parseJsonBytes(this.#text.join())
    const references = new Map(this.#strings.map((string, index) => [this.#nameOf(index), string]))
    return { value, lifted: (text) => references.get(text) }
  }

  /**
   * A string that is not an image, wherever it is: bodies may consist of them.
   * @returns the index behind it; -1 for a longer one, or one that goes on in the next chunk
   */
  #endOfShortString(chunk: Uint8Array, open: number): number {
    this.#backslashes = 0
    const close = this.#closingQuote(chunk, open + 1)
    return close < 0 || close - open > liftedBytes ? -1 : close + 1
  }

  /** @returns whether it is at a position where an image may be */
  #openString(chunk: Uint8Array, at: number): boolean {
    this.#inString = true
    this.#backslashes = 0
    const before = at === 0 ? this.#latest.charCodeAt(this.#latest.length - 1) : chunk[at - 1]
    // A string that does not follow a colon is a name or an item of a list.
    const isItem = this.#places.inLists && (before === comma || before === bracket)
    if (before !== colon && !isItem && !isSpace(before)) return false
    const own = latin1(chunk.subarray(Math.max(0, at + 1 - fieldBytes), at + 1))
    if (!this.#places.before.test(own.length < fieldBytes ? this.#latest + own : own)) return false
    this.#image = { pieces: new ChunkList(), bytes: 0 }
    return true
  }

  #closeString(): void {
    this.#inString = false
    if (this.#image === undefined) return
    const { pieces, bytes } = this.#image
    this.#image = undefined
    if (bytes <= liftedBytes) return this.#pushText(pieces.join())
    this.#strings.push(pieces.all())
    this.#pushText(new TextEncoder().encode(this.#nameOf(this.#strings.length - 1)))
  }

  #hold(image: { readonly pieces: ChunkList; bytes: number }, piece: Uint8Array): void {
    image.pieces.push(piece)
    image.bytes += piece.length
  }

  /** @returns its index, or -1 */
  #closingQuote(chunk: Uint8Array, from: number): number {
    let start = from
    for (let at = chunk.indexOf(quote, from); at >= 0; at = chunk.indexOf(quote, at + 1)) {
      const backslashes = this.#backslashesBefore(chunk, start, at)
      if (backslashes % 2 === 0) return at
      start = at + 1
      this.#backslashes = 0
    }
    this.#backslashes = this.#backslashesBefore(chunk, start, chunk.length)
    return -1
  }

  #backslashesBefore(chunk: Uint8Array, from: number, end: number): number {
    let at = end
    while (at > from && chunk[at - 1] === backslash) at -= 1
    return at === from ? end - at + this.#backslashes : end - at
  }

  #pushText(piece: Uint8Array): void {
    this.#textBytes += piece.length
    if (this.#textBytes > maxJsonBytes) throw textTooLarge()
    this.#text.push(piece)
  }

  #nameOf(index: number): string {
    return `lifted:${this.#nonce}:${index}`
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function textTooLarge(): ServiceError {
  const message = `Cannot read the request body: without its images it is over the limit of ${maxJsonBytes} bytes`
  return new ServiceError('body_too_large', message)
}
