/** Base of the tower's rotary frequencies (kimi-vl reference code; not in config.json). */
const ropeBase = 10_000

/**
 * Cosines and sines of MoonViT's two-dimensional rotary embedding. Pairs alternate between column and row: pair j is
 * rotated by f_i * column (j even) or f_i * row (j odd), i = floor(j / 2), f_i = base^(-4i / headDim).
 * @returns two tables [rows * columns, headDim / 2], raster order
 */
export function rope2d(
  rows: number,
  columns: number,
  headDim: number,
): { cos: Float32Array; sin: Float32Array } {
  const pairs = headDim / 2
  const byColumn = axisAngles(columns, headDim)
  const byRow = axisAngles(rows, headDim)
  const cos = new Float32Array(rows * columns * pairs)
  const sin = new Float32Array(rows * columns * pairs)
  let out = 0
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let pair = 0; pair < pairs; pair++, out++) {
        const [axis, place] = pair % 2 === 0 ? [byColumn, column] : [byRow, row]
        const at = place * axis.width + (pair >> 1)
        cos[out] = axis.cos[at]!
        sin[out] = axis.sin[at]!
      }
    }
  }
  return { cos, sin }
}

/**
 * Cosines and sines of f_i * index, [count, width]. Computing them per axis is quick, so beginning an image does not
 * delay streams.
 */
function axisAngles(places: number, headDim: number) {
  const width = Math.ceil(headDim / 4)
  const angle = (at: number) => Math.floor(at / width) * ropeBase ** ((-4 * (at % width)) / headDim)
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: places * width }, (_, at) => of(angle(at)))
  return { width, cos: table(Math.cos), sin: table(Math.sin) }
}

/** Patch indices ordered such that the patches of each merge x merge cell are adjacent, row by row inside the cell. */
export function mergeOrder(rows: number, columns: number, merge: number): Int32Array {
  const order = new Int32Array(rows * columns)
  let out = 0
  for (let cellRow = 0; cellRow < rows; cellRow += merge) {
    for (let cellColumn = 0; cellColumn < columns; cellColumn += merge) {
      for (let y = 0; y < merge; y++) {
        for (let x = 0; x < merge; x++) {
          order[out++] = (cellRow + y) * columns + cellColumn + x
        }
      }
    }
  }
  return order
}
