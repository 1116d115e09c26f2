/** An automaton that reads the bytes of one piece of JSON text. Its states are integers; -1 means none. */
export interface Piece {
  readonly start: number
  /** @returns -1 when the byte is not allowed here. From every other state an end can be reached */
  step(state: number, byte: number): number
  /** Whether the piece may end here. */
  isDone(state: number): boolean
  /** Whether it may continue from here. */
  goesOn(state: number): boolean
  /** Bytes to the nearest end. */
  least(state: number): number
  /** The only bytes that may be allowed in a state; any unless it says so. */
  bytesAt?(state: number): Uint8Array
}

/** A piece that is a string: many tokens are equivalent between its quotes, which masks take advantage of. */
export interface StringPiece extends Piece {
  /** The state after the closing quote. */
  readonly closed: number
  /** Whether a state lies between the quotes. */
  isInside(state: number): boolean
}

const anyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)

/** States of a piece whose nearest byte is remembered: those of a long pattern. */
const mostRemembered = 8_192

const remembered = new WeakMap<Piece, Map<number, number>>()

/** The next byte on a shortest way to an end, remembered as answers near their limit ask again for each token. @throws {RangeError} at an end */
export function nearestByte(piece: Piece, state: number): number {
  const bytes = remembered.get(piece) ?? new Map<number, number>()
  remembered.set(piece, bytes)
  const known = bytes.get(state)
  if (known !== undefined) return known
  if (bytes.size === mostRemembered) bytes.clear()
  const byte = findNearest(piece, state)
  bytes.set(state, byte)
  return byte
}

function findNearest(piece: Piece, state: number): number {
  const least = piece.least(state)
  for (const byte of piece.bytesAt?.(state) ?? anyByte) {
    const next = piece.step(state, byte)
    if (next >= 0 && piece.least(next) < least) return byte
  }
  throw new RangeError('The piece is at its end')
}
