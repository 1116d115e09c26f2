/** A stream that may have a draft verified. */
export interface Draftable {
  /** Tokens of its draft; 0 for none. */
  readonly most: number
  /** The probability, 0 to 1, that a drafted token is accepted if those before it are. */
  readonly acceptance: number
}

/** The speed-up that drafts must promise, because measured step times are noisy. */
const leastGain = 1.05

/** How much slower drafts may make any stream. */
const mostSlowdown = 1.1

/**
 * How many drafted tokens of each stream the next step should verify to produce the most tokens a second. They are added one
 * by one, the likeliest first. With acceptance a, k drafted tokens give 1 + a + a² + ... + aᵏ on average (Leviathan et al., "Fast
 * Inference from Transformers via Speculative Decoding").
 * @param rows the most that the step may have, the streams' own tokens included
 * @param costOf time of a step with this many rows, relative to others of its kind; 0 while unknown
 */
export function draftLengths(
  streams: readonly Draftable[],
  rows: number,
  costOf: (rows: number) => number,
): readonly number[] {
  let best = streams.map(() => 0)
  let bestGain = leastGain
  const lengths = best.slice()
  const expected = streams.map(() => 1)
  for (let used = streams.length + 1; used <= rows; used++) {
    const next = likeliest(streams, lengths)
    if (next === undefined) break
    lengths[next]! += 1
    expected[next]! += streams[next]!.acceptance ** lengths[next]!
    const slowdown = slowdownOf(streams.length, used, costOf)
    if (slowdown > mostSlowdown * Math.min(...expected)) continue
    const gain = expected.reduce((sum, tokens) => sum + tokens, 0) / streams.length / slowdown
    if (gain <= bestGain) continue
    best = lengths.slice()
    bestGain = gain
  }
  return best
}

/** The stream whose next drafted token is the likeliest to be accepted. */
function likeliest(streams: readonly Draftable[], lengths: readonly number[]): number | undefined {
  let best: number | undefined
  let greatest = 0
  streams.forEach(({ most, acceptance }, i) => {
    const chance = lengths[i]! < most ? acceptance ** (lengths[i]! + 1) : 0
    if (chance > greatest) [best, greatest] = [i, chance]
  })
  return best
}

function slowdownOf(before: number, after: number, costOf: (rows: number) => number): number {
  const [plain, more] = [costOf(before), costOf(after)]
  return plain === 0 ? 1 : Math.max(1, more / plain)
}
