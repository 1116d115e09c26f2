/** Joins all ids into one array, in order. */
export function concatenateIds(pieces: readonly ArrayLike<number>[]): Int32Array<ArrayBuffer> {
  const whole = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let end = 0
  for (const piece of pieces) {
    whole.set(piece, end)
    end += piece.length
  }
  return whole
}
