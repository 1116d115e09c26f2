const [tab, lineFeed, carriageReturn, space, dash] = [0x09, 0x0a, 0x0d, 0x20, 0x2d]

const bareLineFeed: readonly number[] = [lineFeed]
const fullLineBreak: readonly number[] = [carriageReturn, lineFeed]

/** White space allowed after a boundary (RFC 2046, "transport padding"): far more than any gateway adds. */
const maxPaddingBytes = 256

export type Delimiter =
  /** A part begins at `end`, which is the line break after the boundary. */
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'last'; readonly start: number; readonly end: number }
  /** What begins at `start` may turn out to be one when more bytes arrive. */
  | { readonly kind: 'none'; readonly start: number }

type Match = { readonly kind: 'part' | 'last'; readonly end: number } | 'open' | 'no'

/**
 * Finds the lines that separate the parts of a multipart body. Lines end the way the first delimiter does: with CRLF,
 * or with a bare line feed, as scripts write them. A line that merely begins with the boundary is content, because
 * the boundary of an inner body may begin with that of the outer one.
 */
export class DelimiterFinder {
  /** Two dashes and the boundary. */
  readonly #boundary: Uint8Array
  #lineBreak: readonly number[] | undefined
  /** Whether the next byte begins a line. */
  #atLineStart = true

  constructor(boundary: string) {
    this.#boundary = new TextEncoder().encode(`--${boundary}`)
  }

  /**
   * Marks the next byte as the beginning of a line: content or a delimiter may follow the empty line after a head
   * directly.
   */
  startLine(): void {
    this.#atLineStart = true
  }

  /** The first delimiter, with the line break before it. Bytes before `from` have been dealt with. */
  find(bytes: Uint8Array, from: number): Delimiter {
    if (this.#atLineStart) {
      const match = this.#matchBoundary(bytes, from)
      if (match === 'open') return { kind: 'none', start: from }
      this.#atLineStart = false
      if (match !== 'no') return { ...match, start: from }
    }
    const [first = lineFeed, second = dash] = this.#lineBreak ?? bareLineFeed
    for (let at = indexOf(bytes, first, from); at >= 0; at = indexOf(bytes, first, at + 1)) {
      const next = bytes[at + 1]
      if (next !== undefined && next !== second) continue
      const match = this.#match(bytes, at)
      if (match === 'open') return { kind: 'none', start: at }
      if (match !== 'no') return { ...match, start: at }
    }
    return { kind: 'none', start: bytes.length }
  }

  /** Index after the first empty line. @param known leading bytes known to contain none */
  endOfLines(bytes: Uint8Array, known: number): number | undefined {
    const lineBreak = this.#lineBreak ?? bareLineFeed
    const emptyLine = [...lineBreak, ...lineBreak]
    for (let at = bytes.indexOf(lineFeed, known); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
      const start = at + 1 - emptyLine.length
      if (start >= 0 && startsWith(bytes, start, emptyLine) === 'yes') return at + 1
    }
    return undefined
  }

  #match(bytes: Uint8Array, at: number): Match {
    const lineBreak = this.#lineBreak ?? bareLineFeed
    const match = startsWith(bytes, at, lineBreak)
    return match === 'yes' ? this.#matchBoundary(bytes, at + lineBreak.length) : match
  }

  #matchBoundary(bytes: Uint8Array, at: number): Match {
    const boundary = startsWith(bytes, at, this.#boundary)
    if (boundary !== 'yes') return boundary
    const behind = at + this.#boundary.length
    const dashes = startsWith(bytes, behind, [dash, dash])
    if (dashes === 'yes') return { kind: 'last', end: behind + 2 }
    return dashes === 'open' ? 'open' : this.#matchLineEnd(bytes, behind)
  }

  #matchLineEnd(bytes: Uint8Array, from: number): Match {
    let end = from
    while (bytes[end] === space || bytes[end] === tab) end += 1
    if (end - from > maxPaddingBytes) return 'no'
    const lineBreak = this.#lineBreak ?? lineBreakAt(bytes, end)
    const match = startsWith(bytes, end, lineBreak)
    if (match !== 'yes') return match
    this.#lineBreak = lineBreak
    return { kind: 'part', end }
  }
}

function lineBreakAt(bytes: Uint8Array, at: number): readonly number[] {
  return bytes[at] === lineFeed ? bareLineFeed : fullLineBreak
}

/** 'open' when the bytes end before the question is decided. */
function startsWith(
  bytes: Uint8Array,
  at: number,
  wanted: ArrayLike<number>,
): 'yes' | 'no' | 'open' {
  for (let offset = 0; offset < wanted.length; offset += 1) {
    if (at + offset >= bytes.length) return 'open'
    if (bytes[at + offset] !== wanted[offset]) return 'no'
  }
  return 'yes'
}

/** Bytes that are compared here before the built-in `indexOf` is called: a call takes about as long. */
const nearBytes = 32

/** Fast where the byte is rare, as in pictures, and where it is frequent. */
function indexOf(bytes: Uint8Array, byte: number, from: number): number {
  const near = Math.min(from + nearBytes, bytes.length)
  for (let at = from; at < near; at += 1) if (bytes[at] === byte) return at
  return bytes.indexOf(byte, near)
}
