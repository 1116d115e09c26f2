import type { Size } from '../image/image-size.ts'
import type { ImageType } from './image-type.ts'

/** A rectangle of pixels. */
export interface Area {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** How to decode a file with a valid header: everything the decoder would not get right by itself. */
export interface ImageReading {
  readonly type: ImageType
  /** The bytes passed to the decoder. */
  readonly bytes: Uint8Array
  /** A second version, which decodes to the same pixels unless some are missing. */
  readonly alike?: Uint8Array
  /** Whether the decoder reports pixels that it cannot read only together with mere warnings. */
  readonly heedsWarnings?: boolean
  /** The meaning of the channels after the colours, unless they are a single transparency channel. */
  readonly extraChannels?: ExtraChannels
  /** Where the pixels lie on a picture that may be larger; the rest of it is white. */
  readonly placement?: Placement
}

/** An area of a picture. The decoder reports the picture from its upper left corner to at least the area's end. */
export interface Placement {
  readonly picture: Size
  readonly area: Area
}

export interface ExtraChannels {
  /** Index of the transparency channel, counted from 0 after the colours; undefined if there is none. */
  readonly alpha: number | undefined
}
