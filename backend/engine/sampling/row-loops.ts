/** What loops over a whole row of logits have in common; they are plain functions of typed arrays, for these compile best. */

/** A multiple of what loops take at a time; few enough that V8 finds a loop hot after a piece, not within one. */
const pieceLength = 1_024

/**
 * Visits a row in pieces. V8 compiles a loop over a whole row in its midst (on-stack replacement), knowing nothing of what
 * follows: that code is left at the end of each row, and every row begins uncompiled. A function that is called for each
 * piece is compiled as a whole.
 * @param visit [from, to)
 */
export function forPieces(length: number, visit: (from: number, to: number) => void): void {
  for (let from = 0; from < length; from += pieceLength) {
    visit(from, Math.min(from + pieceLength, length))
  }
}

/**
 * The lesser of an index and the last one. Not by Math.min: where many tokens lie on either side of a limit, processors
 * cannot foresee its branch, and the loop takes twice as long.
 * @param index int32, not negative
 * @param last a power of two less one
 */
export function atMost(last: number, index: number): number {
  return (index | ((last - index) >> 31)) & last
}
