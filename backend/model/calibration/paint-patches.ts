import type { PatchImage } from '../model.ts'

/** Red, green and blue in 0..255; fractions are cut off. */
type Color = readonly [number, number, number]

/** The colour at a place, x and y in 0..1. */
export type Painting = (x: number, y: number) => Color

/** A picture as the vision tower takes it: channel before row before column inside each patch. */
export function paintPatches(
  gridHw: readonly [number, number],
  patchSize: number,
  painting: Painting,
): PatchImage {
  const [rows, columns] = gridHw
  const patches = new Uint8Array(rows * columns * 3 * patchSize ** 2)
  for (let y = 0; y < rows * patchSize; y++) {
    for (let x = 0; x < columns * patchSize; x++) {
      const color = painting(x / (columns * patchSize), y / (rows * patchSize))
      const patch = Math.floor(y / patchSize) * columns + Math.floor(x / patchSize)
      color.forEach((value, channel) => {
        const row = (patch * 3 + channel) * patchSize + (y % patchSize)
        patches[row * patchSize + (x % patchSize)] = Math.floor(value)
      })
    }
  }
  return { patches, gridHw }
}
