/** Sets of token ids: bit `id & 31` of word `id >> 5`. */

export function wordsFor(size: number): number {
  return Math.ceil(size / 32)
}

/** Words of a block, of which the number of bits before it may be known: 4,096 logits take 16 KiB. */
export const blockWords = 128

export function blocksFor(words: number): number {
  return Math.ceil(words / blockWords)
}

export function setBit(bits: Int32Array, id: number): void {
  bits[id >> 5]! |= 1 << (id & 31)
}

export function hasBit(bits: Int32Array, id: number): boolean {
  return ((bits[id >> 5]! >> (id & 31)) & 1) === 1
}

export function clearBit(bits: Int32Array, id: number): void {
  bits[id >> 5]! &= ~(1 << (id & 31))
}

/** @param ids those from index `from` up to `to` */
export function clearBits(bits: Int32Array, ids: Int32Array, from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const id = ids[index]!
    bits[id >> 5]! &= ~(1 << (id & 31))
  }
}

/** @param ids those from index `from` up to `to` */
export function toggleBits(bits: Int32Array, ids: Int32Array, from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const id = ids[index]!
    bits[id >> 5]! ^= 1 << (id & 31)
  }
}

export function toggleWords(bits: Int32Array, others: Int32Array): void {
  for (let word = 0; word < bits.length; word++) bits[word]! ^= others[word]!
}

export function addBits(bits: Int32Array, more: Int32Array): void {
  for (let word = 0; word < bits.length; word++) bits[word]! |= more[word]!
}

/** Number of bits set in a word. */
function countIn(word: number): number {
  let count = word - ((word >>> 1) & 0x5555_5555)
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333)
  return (((count + (count >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24
}

/**
 * The id of the bit that has `position` set bits before it.
 * @param ends for each block, the number of set bits up to its end; saves counting those of the blocks before
 * @throws {RangeError} when there is none
 */
export function idAt(bits: Int32Array, position: number, ends?: Int32Array): number {
  const block = ends?.findIndex((end) => end > position) ?? 0
  if (block < 0) throw new RangeError('No token at this position')
  let left = position - (ends?.[block - 1] ?? 0)
  for (let word = block * blockWords; word < bits.length; word++) {
    const count = countIn(bits[word]!)
    if (left >= count) {
      left -= count
      continue
    }
    let rest = bits[word]!
    for (; left > 0; left--) rest &= rest - 1
    return word * 32 + 31 - Math.clz32(rest & -rest)
  }
  throw new RangeError('No token at this position')
}

/** How many bits are set before that of `id`. */
export function positionOf(bits: Int32Array, id: number): number {
  let position = 0
  for (let word = 0; word < id >> 5; word++) position += countIn(bits[word]!)
  return position + countIn(bits[id >> 5]! & ((1 << (id & 31)) - 1))
}

/** The smallest value of a row. In no distribution does it have a chance next to a model's logit. */
const smallest = -3.4028234663852886e38

/** Words between two that `isDense` samples: which words are full cannot be predicted, so checking each takes time. */
const lookEvery = 16

/** Whether at least a quarter of the sampled words are full: in sets of tokens, few bits are clear then. */
export function isDense(bits: Int32Array): boolean {
  let full = 0
  for (let word = 0; word < bits.length; word += lookEvery) if (bits[word] === -1) full += 1
  return 4 * lookEvery * full >= bits.length
}

/**
 * Makes the logits whose bits are not set so small that they are never drawn. For dense sets.
 * @returns the number of logits
 */
export function excludeFrom(row: Float32Array, bits: Int32Array): number {
  for (let word = 0; word < bits.length; word++) {
    for (let rest = ~bits[word]!; rest !== 0; rest &= rest - 1) {
      row[word * 32 + 31 - Math.clz32(rest & -rest)] = smallest
    }
  }
  return row.length
}
