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
}

/** A piece that is a string: many tokens are equivalent between its quotes, which masks take advantage of. */
export interface StringPiece extends Piece {
  /** The state after the closing quote. */
  readonly closed: number
  /** Whether a state lies between the quotes. */
  isInside(state: number): boolean
}

/** The next byte on a shortest way to an end. @throws {RangeError} at an end */
export function nearestByte(piece: Piece, state: number): number {
  const least = piece.least(state)
  for (let byte = 0; byte < 256; byte++) {
    const next = piece.step(state, byte)
    if (next >= 0 && piece.least(next) < least) return byte
  }
  throw new RangeError('The piece is at its end')
}
