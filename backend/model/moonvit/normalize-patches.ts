import type { PreprocessorConfig } from '../config/preprocessor-config.ts'

/** Turns patches in bytes, [patches, 3, patchSize, patchSize], into the vision tower's float32 input. */
export type NormalizePatches = (patches: Uint8Array) => Float32Array<ArrayBuffer>

/** Precomputes the result for each byte and channel: `(value / 255 - mean) / std`, each step in float32. */
export function createPatchNormalizer(
  config: Pick<PreprocessorConfig, 'patchSize' | 'mean' | 'std'>,
): NormalizePatches {
  const planeSize = config.patchSize ** 2
  const tables = config.mean.map((mean, channel) => normalTable(mean, config.std[channel]!))
  return (patches) => {
    if (patches.length % (3 * planeSize) !== 0) {
      throw new RangeError(`${patches.length} bytes are not whole patches of 3 x ${planeSize}`)
    }
    const values = new Float32Array(patches.length)
    for (let start = 0, plane = 0; start < patches.length; start += planeSize, plane++) {
      const table = tables[plane % 3]!
      for (let i = start; i < start + planeSize; i++) values[i] = table[patches[i]!]!
    }
    return values
  }
}

function normalTable(mean: number, std: number): Float32Array {
  const { fround } = Math
  return Float32Array.from({ length: 256 }, (_, value) =>
    fround(fround(fround(value / 255) - fround(mean)) / fround(std)),
  )
}
