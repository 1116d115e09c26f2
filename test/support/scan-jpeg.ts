/**
 * A grey progressive JPEG (ITU-T T.81) whose scans after the first hold nothing: each is a few bytes to send and a pass
 * over all coefficients to read.
 */
export function jpegOfEmptyScans(width: number, height: number, scans: number): Buffer {
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8)
  const frame = Buffer.from([0xff, 0xc2, 0, 11, 8, 0, 0, 0, 0, 1, 1, 0x11, 0])
  frame.writeUInt16BE(height, 5)
  frame.writeUInt16BE(width, 7)
  const emptyScan = endOfBandRuns(blocks)
  return Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xdb, 0, 0x43, 0, ...Array.from({ length: 64 }, () => 16)]),
    frame,
    huffmanTable(0x00, 0),
    huffmanTable(0x10, 0xe0),
    scanHeader(0, 0),
    // One bit a block: its brightness is that of the block before.
    Buffer.alloc(Math.ceil(blocks / 8)),
    ...Array.from({ length: scans }, (_, at) => [
      scanHeader(1 + (at % 63), 1 + (at % 63)),
      emptyScan,
    ]).flat(),
    Buffer.from([0xff, 0xd9]),
  ])
}

/** A table with one code, of one bit, for `symbol`. */
function huffmanTable(kind: number, symbol: number): Buffer {
  return Buffer.from([0xff, 0xc4, 0, 20, kind, 1, ...Array.from({ length: 15 }, () => 0), symbol])
}

function scanHeader(first: number, last: number): Buffer {
  return Buffer.from([0xff, 0xda, 0, 8, 1, 1, 0, first, last, 0])
}

/** Runs of 32,767 blocks without a coefficient: the code of one bit, 14 bits of length, and stuffing after 0xff. */
function endOfBandRuns(blocks: number): Buffer {
  const runs = Math.ceil(blocks / 32_767)
  const bits = `0${'1'.repeat(14)}`.repeat(runs)
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1')
  const bytes = padded.match(/.{8}/g)!.map((eight) => Number.parseInt(eight, 2))
  return Buffer.from(bytes.flatMap((byte) => (byte === 0xff ? [byte, 0] : [byte])))
}
