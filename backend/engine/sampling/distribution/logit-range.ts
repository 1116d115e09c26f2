import { forPieces } from './row-loops.ts'

/** The largest and the smallest logit, both finite. */
export interface LogitRange {
  readonly top: number
  readonly bottom: number
}

/** State over the logits seen so far. */
interface Seen {
  top: number
  bottom: number
  sum: number
}

/** @returns undefined when a logit is not finite */
export function rangeOf(logits: Float32Array): LogitRange | undefined {
  const seen = { top: -Infinity, bottom: Infinity, sum: 0 }
  const whole = logits.length - (logits.length % 4)
  forPieces(whole, (from, to) => {
    see(seen, logits, from, to)
  })
  for (let i = whole; i < logits.length; i++) {
    seen.top = Math.max(seen.top, logits[i]!)
    seen.bottom = Math.min(seen.bottom, logits[i]!)
    seen.sum += logits[i]!
  }
  const { top, bottom, sum } = seen
  // A float64 sum of finite float32 values cannot overflow, so it is finite exactly when all of them are.
  return Number.isFinite(sum) ? { top, bottom } : undefined
}

/** Four at a time, so that additions need not wait for each other. */
function see(seen: Seen, logits: Float32Array, from: number, to: number): void {
  let { top, bottom } = seen
  let [sumA, sumB, sumC, sumD] = [0, 0, 0, 0]
  for (let i = from; i < to; i += 4) {
    const a = logits[i]!
    const b = logits[i + 1]!
    const c = logits[i + 2]!
    const d = logits[i + 3]!
    sumA += a
    sumB += b
    sumC += c
    sumD += d
    // A new maximum cannot be a new minimum, except at the very first logit.
    if (a > top) top = a
    if (a < bottom) bottom = a
    if (b > top) top = b
    else if (b < bottom) bottom = b
    if (c > top) top = c
    else if (c < bottom) bottom = c
    if (d > top) top = d
    else if (d < bottom) bottom = d
  }
  seen.top = top
  seen.bottom = bottom
  seen.sum += sumA + sumB + sumC + sumD
}
