/** Largest and smallest of the logits, both finite. */
export interface LogitRange {
  readonly top: number
  readonly bottom: number
}

/** @returns undefined when a logit is not finite */
export function rangeOf(logits: Float32Array): LogitRange | undefined {
  let top = -Infinity
  let bottom = Infinity
  let [sumA, sumB, sumC, sumD] = [0, 0, 0, 0]
  const whole = logits.length - (logits.length % 4)
  // Four at a time: additions need not wait for each other then. A new top is no new bottom, but for the very first.
  for (let i = 0; i < whole; i += 4) {
    const a = logits[i]!
    const b = logits[i + 1]!
    const c = logits[i + 2]!
    const d = logits[i + 3]!
    sumA += a
    sumB += b
    sumC += c
    sumD += d
    if (a > top) top = a
    if (a < bottom) bottom = a
    if (b > top) top = b
    else if (b < bottom) bottom = b
    if (c > top) top = c
    else if (c < bottom) bottom = c
    if (d > top) top = d
    else if (d < bottom) bottom = d
  }
  for (let i = whole; i < logits.length; i++) {
    sumA += logits[i]!
    top = Math.max(top, logits[i]!)
    bottom = Math.min(bottom, logits[i]!)
  }
  // A float64 sum of finite float32 values cannot overflow, so it is finite exactly when all of them are.
  return Number.isFinite(sumA + sumB + sumC + sumD) ? { top, bottom } : undefined
}
