/**
 * Powers of two by which a measurement may differ from an estimate without significance. A product of two numbers is
 * largest for few of the hundreds of tokens that are measured, or the few of them that choose an expert: in nano, which
 * has no outliers, measurements differ from estimates by up to 4.4.
 */
const scatter = 3

/**
 * How large channels are that are products of two numbers, from an estimate of what they usually are and the largest
 * magnitudes that were seen. Where the two agree, up to the factor between all channels' and a scatter, the estimate stands;
 * where they do not, the measurement counts, less the scatter.
 * @param measured zeros where nothing was seen
 */
export function combineMagnitudes(estimated: Float64Array, measured: Float32Array): Float64Array {
  const differences = Array.from(estimated, (value, c) => Math.log2(measured[c]! / value))
  const usual = median(differences.filter(Number.isFinite))
  if (usual === undefined) return estimated
  return estimated.map((value, c) => {
    const difference = differences[c]! - usual
    if (!Number.isFinite(difference)) return value
    return value * 2 ** (Math.sign(difference) * Math.max(0, Math.abs(difference) - scatter))
  })
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
