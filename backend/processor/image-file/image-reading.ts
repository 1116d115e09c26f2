import type { ImageType } from './image-type.ts'

/** A rectangle of pixels; it may reach beyond the picture. */
export interface Area {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** How to decode a file whose header was found to be sound: what the decoder would not do right by itself. */
export interface ImageReading {
  readonly type: ImageType
  /** What the decoder gets. */
  readonly bytes: Uint8Array
  /** Another version that has the same pixels if none are missing. */
  readonly alike?: Uint8Array
  /** Which channels behind the colours mean what, where that is not one channel of transparency. */
  readonly extraChannels?: ExtraChannels
  /** The part of the picture that has pixels at all; the rest is white. */
  readonly covered?: Area
}

export interface ExtraChannels {
  /** The channel of transparency, counted from 0 behind the colours; undefined for none. */
  readonly alpha: number | undefined
}
