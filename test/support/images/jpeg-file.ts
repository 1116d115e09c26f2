/** A marker segment with its length. */
function segment(marker: number, content: readonly number[]): number[] {
  const length = content.length + 2
  return [0xff, marker, length >> 8, length & 0xff, ...content]
}

const word = (value: number) => [value >> 8, value & 0xff]

interface ScansOptions {
  readonly side: number
  /** Scans after the first, each of which codes nothing of one coefficient. */
  readonly emptyScans: number
  /** Inserted between scans. */
  readonly between?: readonly number[]
}

/**
 * A progressive JPEG in grey with only zero blocks: valid and small, but with as much work for each scan as any other
 * (after libjpeg-turbo issue 284).
 */
export function jpegOfScans({ side, emptyScans, between = [] }: ScansOptions): Uint8Array {
  const blocks = Math.ceil(side / 8) ** 2
  // A table of one code of one bit: difference 0, and a run of 2^14 ends of block and more.
  const table = (kind: number, symbol: number) =>
    segment(0xc4, [kind, 1, ...Array.from({ length: 15 }, () => 0), symbol])
  const scan = (from: number, data: readonly number[]) => [
    ...segment(0xda, [1, 1, 0, from, from, 0]),
    ...data,
  ]
  const runs = Math.ceil(blocks / 32_767)
  const bits = `0${'1'.repeat(14)}`.repeat(runs)
  const acBytes = (bits + '1'.repeat((8 - (bits.length % 8)) % 8))
    .match(/.{8}/g)!
    .flatMap((byte) => (byte === '11111111' ? [0xff, 0] : [Number.parseInt(byte, 2)]))
  const head = [
    0xff,
    0xd8,
    ...segment(0xdb, [0, ...Array.from({ length: 64 }, () => 16)]),
    ...segment(0xc2, [8, ...word(side), ...word(side), 1, 1, 0x11, 0]),
    ...table(0, 0),
    ...table(0x10, 0xe0),
  ]
  const dc = scan(
    0,
    Array.from({ length: Math.ceil(blocks / 8) }, () => 0),
  )
  const empty = Array.from({ length: emptyScans }, (_, index) =>
    Buffer.from([...between, ...scan(1 + (index % 63), acBytes)]),
  )
  return Buffer.concat([Buffer.from(head), Buffer.from(dc), ...empty, Buffer.from([0xff, 0xd9])])
}
