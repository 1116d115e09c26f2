/** How the values of a tensor are drawn: normal, with this mean and deviation. */
export interface Distribution {
  readonly mean: number
  readonly deviation: number
}

/** Every pattern of 16 random bits stands for a value. */
const patterns = 1 << 16

const tables = new Map<string, Uint16Array>()

/**
 * Normal values as bfloat16, to be chosen from at random: Box-Muller over a grid of 256 x 256, which needs no
 * arithmetic per weight.
 */
function normalTable({ mean, deviation }: Distribution): Uint16Array {
  const key = `${mean} ${deviation}`
  const known = tables.get(key)
  if (known !== undefined) return known
  const values = Float32Array.from({ length: patterns }, (_, pattern) => {
    const [radius, angle] = [((pattern >> 8) + 0.5) / 256, ((pattern & 0xff) + 0.5) / 256]
    return mean + deviation * Math.sqrt(-2 * Math.log(radius)) * Math.cos(2 * Math.PI * angle)
  })
  const table = toBfloat16(values)
  tables.set(key, table)
  return table
}

/** Rounds to the nearest bfloat16, the upper half of a float32. */
function toBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(words, (word) => (word + 0x8000) >>> 16)
}

/**
 * Fills `target` with bfloat16 values of rows `start` and following. A row depends only on its seed and number, so any
 * part of a tensor can be made separately.
 */
export function fillRows(
  target: Uint16Array,
  { width, start, seed }: { readonly width: number; readonly start: number; readonly seed: number },
  distribution: Distribution,
): void {
  const table = normalTable(distribution)
  for (let from = 0, row = start; from < target.length; from += width, row++) {
    let state = mixed(seed, row)
    const end = Math.min(from + width, target.length)
    for (let i = from; i < end; i += 2) {
      // xorshift32 (Marsaglia, "Xorshift RNGs"): 32 bits for two values.
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      target[i] = table[state & 0xffff]!
      if (i + 1 < end) target[i + 1] = table[state >>> 16]!
    }
  }
}

/** A seed other than 0 for xorshift: the finaliser of MurmurHash3. */
function mixed(seed: number, row: number): number {
  let h = seed ^ Math.imul(row + 1, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16) || 1
}

/** FNV-1a of a tensor's name. */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
