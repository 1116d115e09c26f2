const goldenGamma = 0x9e3779b97f4a7c15n

/** Draws uniformly from [0, 1), with 53 random bits each. */
export type Random = () => number

/**
 * A separate generator for each sequence: the same seed gives the same draws whatever else runs. xoshiro128**
 * (Blackman and Vigna, "Scrambled linear pseudorandom number generators"), with its state filled by splitmix64.
 * @throws {RangeError} unless `seed` is a whole number between -2^53 and 2^53
 */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`Seed ${seed} is out of range`)
  let [a, b, c, d] = seedWords(BigInt(seed))
  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result
  }
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53
}

/**
 * The seed of one of several choices, which makes each reproducible on its own: `seed` for the first, one more for
 * the next, and 0 after the largest.
 */
export function choiceSeed(seed: number, choice: number): number {
  const room = Number.MAX_SAFE_INTEGER - seed
  return choice <= room ? seed + choice : choice - room - 1
}

/** Four 32-bit words, never all zero, from two outputs of splitmix64. */
function seedWords(seed: bigint): [number, number, number, number] {
  const [first, second] = [splitMix(seed + goldenGamma), splitMix(seed + 2n * goldenGamma)]
  return [lowWord(first), lowWord(first >> 32n), lowWord(second), lowWord(second >> 32n)]
}

function splitMix(state: bigint): bigint {
  let mixed = BigInt.asUintN(64, state)
  mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n)
  mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn)
  return mixed ^ (mixed >> 31n)
}

function lowWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value))
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
