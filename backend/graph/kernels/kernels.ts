import { readFileSync } from 'node:fs'

/**
 * The loops over weights that a conversion spends its time in, compiled from `assembly/kernels.ts`. They work on the
 * memory of a WebAssembly module, one for each thread. Values outside of it are copied there; `lendFloats` lends memory
 * inside of it.
 */

/** What `npm run kernels` makes. */
const moduleFile = new URL('./kernels.wasm', import.meta.url)

/** Of the module; numbers are addresses unless they count something. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  widenBfloat16(from: number, to: number, count: number): void
  largestBits(from: number, count: number): number
  quantizeBlocks(
    weights: number,
    rows: number,
    width: number,
    blockSize: number,
    values: number,
    scales: number,
  ): number
  scanRows(
    weights: number,
    rows: number,
    width: number,
    inputs: number,
    outputs: number,
    columns: number,
  ): void
}

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(moduleFile)))
const kernels = exports as unknown as Exports
/** Never grows, so that views of it stay valid. */
const { buffer } = kernels.memory

/** Bytes of the equal parts that the memory is divided into. A chunk of weights in float32 has at most as many. */
export const regionBytes = 1024 * 1024

/** The first regions hold what is copied; the very first is the module's own. */
const place = { halves: 1, weights: 2, inputs: 3, columns: 4, outputs: 5, values: 6, scales: 7 }
const firstLent = 8

const addressOf = (region: number) => region * regionBytes
const free = Array.from(
  { length: buffer.byteLength / regionBytes - firstLent },
  (_, i) => firstLent + i,
)

/** Memory for values, which must not be used once it is given back. */
interface LentFloats {
  readonly values: Float32Array
  giveBack(): void
}

/** Memory that the loops work on without a copy, as long as there is some; ordinary memory otherwise. */
export function lendFloats(count: number): LentFloats {
  const region = count * 4 <= regionBytes ? free.pop() : undefined
  if (region === undefined) return { values: new Float32Array(count), giveBack() {} }
  const values = new Float32Array(buffer, addressOf(region), count)
  return { values, giveBack: () => void free.push(region) }
}

/** For values of 16 bits until they are widened, without a pause, so that all tensors of a thread can share it. */
export const halvesMemory = new Uint8Array(buffer, addressOf(place.halves), regionBytes)

/** bfloat16 is the upper half of a float32. */
export function widenBfloat16(halves: Uint16Array, values: Float32Array): void {
  const most = regionBytes / 4
  for (let from = 0; from < halves.length; from += most) {
    const some = halves.subarray(from, from + most)
    const target = values.subarray(from, from + some.length)
    const isHere = target.buffer === buffer
    const to = isHere ? target.byteOffset : addressOf(place.weights)
    kernels.widenBfloat16(addressIn(some, place.halves), to, some.length)
    if (!isHere) target.set(new Float32Array(buffer, to, some.length))
  }
}

/** Bits of a float32 from which on a magnitude is not finite. */
const infinityBits = 0x7f80_0000

export function areFinite(values: Float32Array): boolean {
  const most = regionBytes / 4
  for (let from = 0; from < values.length; from += most) {
    const some = values.subarray(from, from + most)
    if (kernels.largestBits(addressIn(some, place.weights), some.length) >= infinityBits)
      return false
  }
  return true
}

/**
 * Quantises rows of weights: see `backend/graph/quantize.ts`.
 * @param values [rows, blocks, blockSize], to be filled
 * @param scales [rows, blocks], to be filled
 * @returns false when a weight is NaN or infinite
 * @throws {RangeError} when a row does not fit into the memory
 */
export function quantizeRows(
  weights: Float32Array,
  { width, blockSize }: { readonly width: number; readonly blockSize: number },
  values: Uint8Array,
  scales: Float32Array,
): boolean {
  const rows = weights.length / width
  const blocks = Math.ceil(width / blockSize)
  const padded = blocks * blockSize
  const step = rowsThatFit(Math.max(4 * width, padded, 4 * blocks))
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    const some = weights.subarray(row * width, (row + count) * width)
    const [at, to, scaleTo] = [
      addressIn(some, place.weights),
      addressOf(place.values),
      addressOf(place.scales),
    ]
    if (kernels.quantizeBlocks(at, count, width, blockSize, to, scaleTo) === 0) return false
    values.set(new Uint8Array(buffer, to, count * padded), row * padded)
    scales.set(new Float32Array(buffer, scaleTo, count * blocks), row * blocks)
  }
  return true
}

/**
 * What rows of weights say about their product: see `scanWeight`.
 * @param inputs [width]
 * @param outputs [rows], to be filled
 * @param columns [width], raised where a weight is larger
 * @throws {RangeError} when a row does not fit into the memory
 */
export function scanRows(
  weights: Float32Array,
  inputs: Float64Array,
  outputs: Float64Array,
  columns: Float64Array,
): void {
  const width = inputs.length
  const rows = weights.length / width
  const step = rowsThatFit(8 * width)
  const [from, to] = [addressIn(inputs, place.inputs), addressIn(columns, place.columns)]
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    const some = weights.subarray(row * width, (row + count) * width)
    const [at, results] = [addressIn(some, place.weights), addressOf(place.outputs)]
    kernels.scanRows(at, count, width, from, results, to)
    outputs.set(new Float64Array(buffer, results, count), row)
  }
  columns.set(new Float64Array(buffer, to, width))
}

function rowsThatFit(bytesPerRow: number): number {
  const rows = Math.floor(regionBytes / bytesPerRow)
  if (rows > 0) return rows
  throw new RangeError(`A row of ${bytesPerRow} bytes does not fit into ${regionBytes}`)
}

/** Where the numbers are in the module's memory: they are copied to a region unless they are there already. */
function addressIn(numbers: Uint16Array | Float32Array | Float64Array, region: number): number {
  if (numbers.buffer === buffer) return numbers.byteOffset
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  new Uint8Array(buffer, addressOf(region), bytes.length).set(bytes)
  return addressOf(region)
}
