/**
 * Random 32-bit numbers (xorshift32): their quality does not matter, but a hundred million of them must be made
 * quickly.
 */
export function createNoise(): () => number {
  let state = 2_463_534_242
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function randomBytes(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  const random = createNoise()
  for (let i = 0; i < words.length; i++) words[i] = random()
  return new Uint8Array(words.buffer, 0, length)
}

/** Numbers between -spread and spread. */
export function randomFloats(length: number, spread: number): Float32Array {
  const values = new Float32Array(length)
  const random = createNoise()
  for (let i = 0; i < length; i++) values[i] = spread * (random() / 2 ** 31 - 1)
  return values
}
