/** Sharpness of the interpolation (PyTorch's bicubic). */
const a = -0.75

/**
 * Weight of each of `size` table rows for each of `count` outputs along one axis: bicubic interpolation with
 * half-pixel centres, no antialiasing, and taps beyond the edge taken from the edge. With `count` = `size` it is the
 * identity. Source of the formula: torch.nn.functional.interpolate(mode='bicubic', align_corners=False).
 * @returns [count, size]
 */
export function positionWeights(count: number, size: number): Float32Array {
  const weights = new Float32Array(count * size)
  for (let output = 0; output < count; output++) {
    const source = ((output + 0.5) * size) / count - 0.5
    const first = Math.floor(source)
    const t = source - first
    for (const [offset, distance] of [
      [-1, 1 + t],
      [0, t],
      [1, 1 - t],
      [2, 2 - t],
    ] as const) {
      const row = Math.min(size - 1, Math.max(0, first + offset))
      weights[output * size + row]! += cubic(distance)
    }
  }
  return weights
}

function cubic(t: number): number {
  if (t <= 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1
  return a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a
}
