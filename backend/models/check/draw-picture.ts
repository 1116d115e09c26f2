import { paintPatches, type Painting } from '../../model/calibration/paint-patches.ts'
import type { PatchImage } from '../../model/model.ts'

/** Patches a side; both even, and not equal, so that swapped rows and columns show. */
const gridHw = [8, 6] as const

/** Colours by place, x and y in 0..1. */
const pictures = {
  disc: (x, y) =>
    Math.hypot(x - 0.5, y - 0.5) < 0.3 ? [220, 30, 30] : [255 * x, 255 * y, 255 * (1 - x)],
  stripes: (x) => (Math.floor(8 * x) % 2 === 0 ? [20, 60, 200] : [250, 220, 40]),
  squares: (x, y) => ((3 * x) % 1 < 0.5 && (3 * y) % 1 < 0.5 ? [30, 150, 60] : [255, 255, 255]),
  noise: (x, y) => {
    const grey = Math.abs(Math.sin(x * 1271 + y * 3117) * 43_758) % 1
    return [255 * grey, 255 * grey, 255 * grey]
  },
} as const satisfies Record<string, Painting>
export type Picture = keyof typeof pictures

export function drawPicture(picture: Picture, patchSize: number): PatchImage {
  return paintPatches(gridHw, patchSize, pictures[picture])
}
