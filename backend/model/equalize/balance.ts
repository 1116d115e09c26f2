/** Channels to move, and by how many powers of two they shrink; their weights grow by as much. */
export type Shifts = Readonly<Record<number, number>>

/**
 * Powers of two from which a channel is moved. A channel 4 times out of balance costs its block two of eight bits;
 * below that, estimates from weights alone are not reliable enough.
 */
const leastShift = 2

/**
 * How to balance channels so that 8 bits lose the least. Rounding a channel x and its weights w to levels shared with
 * other channels has the smallest error when x / w is the same for all (SmoothQuant, arXiv 2211.10438, equation 4,
 * with its alpha of 1/2):
 *
 *     shift = log2 sqrt((x / w) / median(x / w))
 *
 * Only unusual channels are moved, and only as far as normal: large channels, and channels with large weights. A
 * small channel with normal weights is left alone: it may be small because its inputs' weights are large.
 *
 * @param channels magnitude of each channel
 * @param weights magnitude of the weights it is multiplied with
 * @param mayBeLarger whether channels may be larger than estimated. Then those with small weights are moved as well, half as far
 * as if they were large to the same degree: the weights stay smaller than normal, so that little is lost where they are not.
 */
export function balance(
  channels: Float64Array,
  weights: Float64Array,
  mayBeLarger = false,
): Shifts {
  const used = [...channels.keys()].filter((c) => channels[c]! > 0 && weights[c]! > 0)
  if (used.length === 0) return {}
  const [channel, weight] = [logsOf(channels, used), logsOf(weights, used)]
  // Where exactly half of the channels are large and their weights small, the other half is usual in all three.
  const [usualChannel, usualWeight] = [lowerMedian(channel), -lowerMedian(weight.map((w) => -w))]
  const out = channel.map((_, i) => (channel[i]! - weight[i]!) / 2)
  const usualOut = lowerMedian(out)
  const shifts: Record<number, number> = {}
  used.forEach((c, i) => {
    const hidden = mayBeLarger ? (usualWeight - weight[i]!) / 2 : 0
    const most = Math.max(0, channel[i]! - usualChannel, hidden)
    const least = Math.min(0, usualWeight - weight[i]!)
    const shift = Math.round(Math.min(most, Math.max(least, out[i]! - usualOut)))
    if (Math.abs(shift) >= leastShift) shifts[c] = shift
  })
  return shifts
}

function logsOf(values: Float64Array, indices: readonly number[]): number[] {
  return indices.map((index) => Math.log2(values[index]!))
}

/** Of an even number of values, the smaller of the two in the middle. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!
}
