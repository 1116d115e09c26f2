import type { ImageFeatures } from './model.ts'

/** Features that are in the host's memory. @throws {TypeError} for others, which belong to another model */
export function hostFeatures(features: ImageFeatures): Float32Array {
  if (features instanceof Float32Array) return features
  throw new TypeError('the features of this image are not in the host’s memory')
}
