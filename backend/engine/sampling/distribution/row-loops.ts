/**
 * Helpers for loops over the logits of a whole vocabulary, which are plain functions of typed arrays because these
 * compile best.
 */

/** A multiple of what loops process at a time; small enough that V8 finds a loop hot after a piece, not within one. */
const pieceLength = 1_024

/**
 * Visits logits in pieces. V8 compiles a loop over all of them in the middle of its run (on-stack replacement),
 * without knowing what follows: that code is left at the end, and the next run begins uncompiled. A function called
 * for each piece is compiled as a whole.
 * @param visit called with [from, to)
 */
export function forPieces(length: number, visit: (from: number, to: number) => void): void {
  for (let from = 0; from < length; from += pieceLength) {
    visit(from, Math.min(from + pieceLength, length))
  }
}

/**
 * The lesser of an index and the last one. Math.min would be twice as slow here: where many tokens lie on either side
 * of a limit, processors cannot predict its branch.
 * @param index int32, not negative
 * @param last a power of two less one
 */
export function atMost(last: number, index: number): number {
  return (index | ((last - index) >> 31)) & last
}
