/** One marker segment; positions are those of its content, after marker and length. */
export interface JpegSegment {
  /** Second byte of the marker. */
  readonly marker: number
  readonly start: number
  readonly end: number
}

export const jpegMarkers = { sos: 0xda, eoi: 0xd9 } as const

/**
 * Iterates over the marker segments of a JPEG file as libjpeg's next_marker does, skipping entropy-coded data (ITU-T
 * T.81, annex B). Ends after the end marker or at the end of the file. Takes one pass over the bytes, whatever they
 * are.
 * @param mostBetween bytes inspected outside of segments; all by default
 */
export function* jpegSegments(file: Uint8Array, mostBetween = file.length): Generator<JpegSegment> {
  let at = 2
  let between = 0
  for (;;) {
    const found = nextMarker(file, at, at + mostBetween - between)
    if (found < 0) return
    between += found + 2 - at
    const marker = file[found + 1]!
    at = found + 2
    if (standsAlone(marker)) {
      if (marker === jpegMarkers.eoi) {
        yield { marker, start: at, end: at }
        return
      }
      continue
    }
    if (at + 2 > file.length) return
    const end = at + Math.max(2, file[at]! * 256 + file[at + 1]!)
    if (end > file.length) return
    yield { marker, start: at + 2, end }
    at = end
  }
}

/** Position of the next 0xff followed by a marker. A zero after it means data, another 0xff padding. */
function nextMarker(file: Uint8Array, from: number, to: number): number {
  const last = Math.min(file.length - 1, to)
  for (let at = from; at < last; at++) {
    if (file[at] !== 0xff) continue
    const next = file[at + 1]!
    if (next !== 0 && next !== 0xff) return at
  }
  return -1
}

/**
 * Markers without a length: TEM, RSTn, SOI, EOI, and reserved ones, which libjpeg skips while looking for a restart
 * marker.
 */
function standsAlone(marker: number): boolean {
  return marker < 0xc0 || (marker >= 0xd0 && marker <= jpegMarkers.eoi)
}
