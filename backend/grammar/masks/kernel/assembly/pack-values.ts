/**
 * Packs a row of logits, with SIMD instructions, in AssemblyScript (https://www.assemblyscript.org): `npm run kernels` compiles
 * it to `pack-values.wasm`. `usize` is an address in the module's memory.
 */

/** For each set of four lanes: the positions of its lanes' bytes, in order. */
const lanes = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4,
  5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 8, 9,
  10, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 8, 9, 10, 11, 0, 0, 0, 0, 0, 0, 0, 0, 4,
  5, 6, 7, 8, 9, 10, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 0, 0, 0,
  12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0,
  0, 0, 4, 5, 6, 7, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15,
  0, 0, 0, 0, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 8, 9, 10, 11, 12,
  13, 14, 15, 0, 0, 0, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6,
  7, 8, 9, 10, 11, 12, 13, 14, 15,
])

/**
 * Moves the float32 values whose bits are set to the front, in order. Which bits are set cannot be predicted, so four
 * values at a time are moved whatever their bits are.
 * @param words of 32 bits
 * @returns the number of those values
 */
export function packValues(values: usize, bits: usize, words: u32): u32 {
  const end = bits + ((<usize>words) << 2)
  let from = values
  let to = values
  for (let at = bits; at < end; at += 4) {
    const set = load<u32>(at)
    if (set != 0) {
      packFour(from, 0, to, set, 0)
      packFour(from, 4, to, set, 0xf)
      packFour(from, 8, to, set, 0xff)
      packFour(from, 12, to, set, 0xfff)
      packFour(from, 16, to, set, 0xffff)
      packFour(from, 20, to, set, 0xf_ffff)
      packFour(from, 24, to, set, 0xff_ffff)
      packFour(from, 28, to, set, 0xfff_ffff)
      to += (<usize>popcnt(set)) << 2
    }
    from += 128
  }
  return <u32>((to - values) >> 2)
}

/**
 * @param lane the first of four
 * @param before the bits of all lanes before it
 */
function packFour(from: usize, lane: usize, to: usize, set: u32, before: u32): void {
  const four = (set >> (<u32>lane)) & 15
  const order = v128.load(lanes + ((<usize>four) << 4))
  // Anything overwritten beyond the valid values has already been read.
  v128.store(
    to + ((<usize>popcnt(set & before)) << 2),
    i8x16.swizzle(v128.load(from + (lane << 2)), order),
  )
}
