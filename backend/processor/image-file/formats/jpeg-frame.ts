import type { Size } from '../../image/image-size.ts'
import type { JpegSegment } from './jpeg-segments.ts'

/** Content of a JPEG's frame header (ITU-T T.81, B.2.2). */
export interface JpegFrame extends Size {
  /** Second byte of its SOF marker, which identifies the coding process. */
  readonly marker: number
  /** Bits per sample. */
  readonly precision: number
  readonly components: readonly JpegComponent[]
}

interface JpegComponent {
  readonly id: number
  /** Coded samples, padded to whole 8 x 8 blocks. */
  readonly samples: number
}

/** Whether the segment is a frame header: SOF0 to SOF15, except for DHT, JPG and DAC in between; also JPEG-LS's. */
export function isFrameHeader({ marker }: JpegSegment): boolean {
  return (
    (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7
  )
}

/** SOF9 to SOF15. */
export function isArithmetic({ marker }: JpegFrame): boolean {
  return marker >= 0xc9 && marker <= 0xcf
}

/** SOF2, and SOF10 for arithmetic coding. */
export function isProgressive({ marker }: JpegFrame): boolean {
  return marker === 0xc2 || marker === 0xca
}

/** @returns undefined when the header is too short for its number of components */
export function readFrame(
  file: Uint8Array,
  { marker, start, end }: JpegSegment,
): JpegFrame | undefined {
  const count = file[start + 5] ?? 0
  if (end - start < 6 + 3 * count || count === 0) return undefined
  const height = file[start + 1]! * 256 + file[start + 2]!
  const width = file[start + 3]! * 256 + file[start + 4]!
  const raw = Array.from({ length: count }, (_, index) => {
    const at = start + 6 + 3 * index
    return { id: file[at]!, across: file[at + 1]! >> 4, down: file[at + 1]! & 15 }
  })
  const mostAcross = Math.max(1, ...raw.map(({ across }) => across))
  const mostDown = Math.max(1, ...raw.map(({ down }) => down))
  const components = raw.map(({ id, across, down }) => ({
    id,
    samples: 64 * blocks((width * across) / mostAcross) * blocks((height * down) / mostDown),
  }))
  return { marker, precision: file[start]!, width, height, components }
}

function blocks(samples: number): number {
  return Math.ceil(samples / 8)
}
