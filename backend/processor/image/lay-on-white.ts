import type { Area } from '../image-file/image-reading.ts'
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

/** Makes everything outside of the area white, in place. */
export function whiteOutside(area: Area, { width, height, rgb }: RgbImage): void {
  const left = Math.min(area.left, width)
  const right = Math.min(area.left + area.width, width)
  for (let y = 0; y < height; y++) {
    const row = y * width * 3
    const isBeside = y < area.top || y >= area.top + area.height
    const [from, to] = isBeside ? [width, width] : [left, right]
    rgb.fill(255, row, row + from * 3)
    rgb.fill(255, row + to * 3, row + width * 3)
  }
}
