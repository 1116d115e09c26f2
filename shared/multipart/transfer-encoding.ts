import { invalidMultipart } from './invalid-multipart.ts'

/** Decodes the content of a part, piece by piece. */
export interface TransferDecoder {
  /** @throws {ServiceError} `invalid_multipart` */
  push(bytes: Uint8Array): Uint8Array
  /** The rest, once everything was pushed. @throws {ServiceError} `invalid_multipart` */
  end(): Uint8Array
}

const nothing = new Uint8Array()
const plain: TransferDecoder = { push: (bytes) => bytes, end: () => nothing }

/** Characters of a client's word that an error repeats. */
const maxQuotedChars = 40

/**
 * Decoder for a part's `Content-Transfer-Encoding` (RFC 2045, section 6), which mail libraries, old Java clients and
 * `curl -F '...;encoder=base64'` still send.
 * @throws {ServiceError} `invalid_multipart` for an unknown one
 */
export function transferDecoder(encoding: string): TransferDecoder {
  switch (encoding) {
    case '':
    case '7bit':
    case '8bit':
    case 'binary':
    case 'identity':
      return plain
    case 'base64':
      return new Base64Decoder()
    case 'quoted-printable':
      return new QuotedPrintableDecoder()
    default: {
      const quoted = encoding.slice(0, maxQuotedChars)
      throw invalidMultipart(`Content-Transfer-Encoding "${quoted}" of a part is not supported`)
    }
  }
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const [blank, padding, invalid] = [64, 65, 66]

/** Value of each base64 character, indexed by its byte. */
const base64Values = new Uint8Array(256).fill(invalid)
for (let value = 0; value < 64; value += 1) base64Values[base64Alphabet.charCodeAt(value)] = value
for (const character of '\r\n\t ') base64Values[character.charCodeAt(0)] = blank
base64Values['='.charCodeAt(0)] = padding

class Base64Decoder implements TransferDecoder {
  #bits = 0
  /** Characters of the unfinished group of four. */
  #characters = 0
  #isPadded = false

  push(bytes: Uint8Array): Uint8Array {
    const decoded = new Uint8Array(Math.ceil((bytes.length * 3) / 4) + 3)
    let length = 0
    for (const byte of bytes) {
      const value = base64Values[byte] ?? invalid
      if (value === blank) continue
      if (value === padding) {
        this.#isPadded = true
        continue
      }
      if (value === invalid || this.#isPadded) throw notBase64()
      this.#bits = (this.#bits << 6) | value
      this.#characters += 1
      if (this.#characters < 4) continue
      decoded[length++] = this.#bits >> 16
      decoded[length++] = this.#bits >> 8
      decoded[length++] = this.#bits
      this.#bits = 0
      this.#characters = 0
    }
    return decoded.subarray(0, length)
  }

  /** A last group of two or three characters, with or without padding, is one or two bytes. */
  end(): Uint8Array {
    switch (this.#characters) {
      case 0:
        return nothing
      case 2:
        return Uint8Array.of(this.#bits >> 4)
      case 3:
        return Uint8Array.of(this.#bits >> 10, this.#bits >> 2)
      default:
        throw notBase64()
    }
  }
}

function notBase64(): Error {
  return invalidMultipart('a part is not the base64 that its Content-Transfer-Encoding names')
}

const [equalsSign, lineFeed, carriageReturn, space, tab] = [0x3d, 0x0a, 0x0d, 0x20, 0x09]

class QuotedPrintableDecoder implements TransferDecoder {
  /** State after an equals sign: nothing yet, its first digit, or white space up to the end of the line. */
  #state: 'text' | 'equals' | 'digit' | 'softBreak' = 'text'
  #digit = 0

  push(bytes: Uint8Array): Uint8Array {
    const decoded = new Uint8Array(bytes.length)
    let length = 0
    for (const byte of bytes) {
      const value = this.#take(byte)
      if (value !== undefined) decoded[length++] = value
    }
    return decoded.subarray(0, length)
  }

  end(): Uint8Array {
    if (this.#state === 'digit') throw notQuotedPrintable()
    return nothing
  }

  /** @returns the byte that this one completes, if any */
  #take(byte: number): number | undefined {
    switch (this.#state) {
      case 'text':
        if (byte !== equalsSign) return byte
        this.#state = 'equals'
        return undefined
      case 'digit':
        this.#state = 'text'
        return this.#digit * 16 + digitOf(byte)
      case 'equals':
      case 'softBreak':
        if (byte === lineFeed) this.#state = 'text'
        else if (byte === carriageReturn || byte === space || byte === tab)
          this.#state = 'softBreak'
        else if (this.#state === 'softBreak') throw notQuotedPrintable()
        else {
          this.#digit = digitOf(byte)
          this.#state = 'digit'
        }
        return undefined
    }
  }
}

function digitOf(byte: number): number {
  const digit = Number.parseInt(String.fromCharCode(byte), 16)
  if (Number.isNaN(digit)) throw notQuotedPrintable()
  return digit
}

function notQuotedPrintable(): Error {
  return invalidMultipart(
    'a part is not the quoted-printable that its Content-Transfer-Encoding names',
  )
}
