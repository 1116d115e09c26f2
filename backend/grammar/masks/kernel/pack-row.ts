import { readFileSync } from 'node:fs'

/** Written by `npm run kernels`. */
const moduleFile = new URL('./pack-values.wasm', import.meta.url)

/** The module's exports; numbers are addresses unless they count something. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  packValues(values: number, bits: number, words: number): number
}

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(moduleFile)))
const kernel = exports as unknown as Exports
/** Never grows, so that views of it stay valid. */
const { buffer } = kernel.memory

/** Words of a set that can be packed in one call, in the module's megabyte of memory: enough for 204,800 tokens. */
const mostWords = 6_400

/** In bytes; the module itself uses the memory before it. */
const valuesAt = 64 * 1024
const bitsAt = valuesAt + 32 * 4 * mostWords
const values = new Float32Array(buffer, valuesAt, 32 * mostWords)
const bitsHere = new Int32Array(buffer, bitsAt, mostWords)

/** Words between two samples, when estimating how many words of a set are not empty. */
const lookEvery = 16

/**
 * Moves the logits whose bits are set to the front, in order.
 * @param bits words of a set of ids, none of which is beyond the row
 * @returns their number
 */
export function packRow(row: Float32Array, bits: Int32Array): number {
  return isSparse(bits) ? packFew(row, bits) : packMany(row, bits)
}

/** Whether at most half of the sampled words are not empty. */
function isSparse(bits: Int32Array): boolean {
  let used = 0
  for (let word = 0; word < bits.length; word += lookEvery) if (bits[word] !== 0) used += 1
  return 2 * lookEvery * used <= bits.length
}

/** For structure, there are so few that copying the row would take most of the time. */
function packFew(row: Float32Array, bits: Int32Array): number {
  let count = 0
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) {
      row[count++] = row[word * 32 + 31 - Math.clz32(rest & -rest)]!
    }
  }
  return count
}

/** Copying to the module's memory and back takes less time than a JavaScript loop over 50,000 of 163,840. */
function packMany(row: Float32Array, bits: Int32Array): number {
  let count = 0
  for (let from = 0; from < bits.length; from += mostWords) {
    const some = bits.subarray(from, from + mostWords)
    bitsHere.set(some)
    values.set(row.subarray(32 * from, 32 * (from + some.length)))
    const packed = kernel.packValues(valuesAt, bitsAt, some.length)
    row.set(values.subarray(0, packed), count)
    count += packed
  }
  return count
}
