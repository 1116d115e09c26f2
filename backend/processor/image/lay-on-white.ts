import type { Area, Placement } from '../image-file/image-reading.ts'
import type { Size } from './image-size.ts'
import type { RgbImage } from './resize-bicubic.ts'

/**
 * RGB composited on white according to its transparency channel; all further channels are dropped.
 * @param pixels interleaved, one byte per channel, colours first
 * @param alpha index of that channel among all channels
 * @returns three bytes per pixel
 */
export function coloursOnWhite(pixels: Uint8Array, channels: number, alpha: number): Uint8Array {
  const rgb = new Uint8Array((pixels.length / channels) * 3)
  for (let from = 0, to = 0; from < pixels.length; from += channels) {
    const opacity = pixels[from + alpha]! / 255
    for (let colour = 0; colour < 3; colour++) {
      rgb[to++] = Math.round(255 + (pixels[from + colour]! - 255) * opacity)
    }
  }
  return rgb
}

/** The decoded picture with the size it should have, white outside of the area that has pixels; changes its pixels. */
export function placeOnWhite(decoded: RgbImage, { picture, area }: Placement): RgbImage {
  const image = isOfSize(decoded, picture) ? decoded : enlarge(decoded, picture)
  whiteOutside(area, image)
  return image
}

function isOfSize({ width, height }: Size, size: Size): boolean {
  return width === size.width && height === size.height
}

/** The picture as the upper left corner of a larger one. */
function enlarge({ width, height, rgb }: RgbImage, size: Size): RgbImage {
  const larger = new Uint8Array(size.width * size.height * 3)
  for (let y = 0; y < height; y++) {
    larger.set(rgb.subarray(y * width * 3, (y + 1) * width * 3), y * size.width * 3)
  }
  return { ...size, rgb: larger }
}

function whiteOutside(area: Area, { width, height, rgb }: RgbImage): void {
  for (let y = 0; y < height; y++) {
    const row = y * width * 3
    const isBeside = y < area.top || y >= area.top + area.height
    const [from, to] = isBeside ? [width, width] : [area.left, area.left + area.width]
    rgb.fill(255, row, row + from * 3)
    rgb.fill(255, row + to * 3, row + width * 3)
  }
}
