import { readFileSync } from 'node:fs'
import { blocksFor, blockWords } from '../bits.ts'

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

/** In bytes; the module itself uses the memory before it. */
const valuesAt = 64 * 1024
const bitsAt = valuesAt + 32 * 4 * blockWords
const values = new Float32Array(buffer, valuesAt, 32 * blockWords)
const bitsHere = new Int32Array(buffer, bitsAt, blockWords)

/** Words between two samples, when estimating how many words of a set are not empty. */
const lookEvery = 16

/**
 * Moves the logits whose bits are set to the front, in order.
 * @param bits words of a set of ids, none of which is beyond the row
 * @param ends receives, for each block of `blockWords` words, the number of logits moved up to its end
 * @returns their number
 */
export function packRow(
  row: Float32Array,
  bits: Int32Array,
  ends = new Int32Array(blocksFor(bits.length)),
): number {
  const pack = isSparse(bits) ? packFew : packMany
  let count = 0
  for (let block = 0; block < ends.length; block++) {
    count = pack(row, bits, block * blockWords, count)
    ends[block] = count
  }
  return count
}

/** Whether at most a third of the sampled words are not empty. */
function isSparse(bits: Int32Array): boolean {
  let used = 0
  for (let word = 0; word < bits.length; word += lookEvery) if (bits[word] !== 0) used += 1
  return 3 * lookEvery * used <= bits.length
}

/** For structure, there are so few that copying the row would take most of the time. */
function packFew(row: Float32Array, bits: Int32Array, from: number, packed: number): number {
  const end = Math.min(from + blockWords, bits.length)
  let count = packed
  for (let word = from; word < end; word++) {
    for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) {
      row[count++] = row[word * 32 + 31 - Math.clz32(rest & -rest)]!
    }
  }
  return count
}

/**
 * Copying to the module's memory and back takes less time than a JavaScript loop over 50,000 of 163,840, and half as
 * long in blocks that fit into the processor's first cache as for the whole row at once.
 */
function packMany(row: Float32Array, bits: Int32Array, from: number, packed: number): number {
  const some = bits.subarray(from, from + blockWords)
  bitsHere.set(some)
  values.set(row.subarray(32 * from, 32 * (from + some.length)))
  const count = kernel.packValues(valuesAt, bitsAt, some.length)
  row.set(values.subarray(0, count), packed)
  return packed + count
}
