import type { PatchImage } from '../../model/model.ts'
import type { ImagePlan } from './image-size.ts'
import type { RgbImage } from './resize-bicubic.ts'

/**
 * Cuts a resized image into patches in raster order: [gh * gw, 3, patchSize, patchSize], channel before row before
 * column. Parts of the grid outside the image are black.
 */
export function patchify(
  image: RgbImage,
  { left, top, gridHw }: Pick<ImagePlan, 'left' | 'top' | 'gridHw'>,
  patchSize: number,
): PatchImage {
  const { width, height, rgb } = image
  const [rows, columns] = gridHw
  const planeSize = patchSize * patchSize
  const patches = new Uint8Array(rows * columns * 3 * planeSize)
  const endY = Math.min(height - top, rows * patchSize)
  const endX = Math.min(width - left, columns * patchSize)
  for (let y = 0; y < endY; y++) {
    const patchRow = Math.floor(y / patchSize) * columns
    const inPatch = (y % patchSize) * patchSize
    let from = ((y + top) * width + left) * 3
    for (let x = 0; x < endX; x++, from += 3) {
      const patch = patchRow + Math.floor(x / patchSize)
      const to = patch * 3 * planeSize + inPatch + (x % patchSize)
      patches[to] = rgb[from]!
      patches[to + planeSize] = rgb[from + 1]!
      patches[to + 2 * planeSize] = rgb[from + 2]!
    }
  }
  return { patches, gridHw }
}
