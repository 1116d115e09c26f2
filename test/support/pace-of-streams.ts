/**
 * Pairs of streams that did not keep pace.
 * @param times of each stream's tokens, on any clock that all share
 */
export function unevenPairs(times: readonly (readonly number[])[]): [number, number][] {
  return times.flatMap((one, index) =>
    times.flatMap((other, at): [number, number][] =>
      at <= index || keepPace(one, other) ? [] : [[index, at]],
    ),
  )
}

/** Whether both got equally many tokens while both ran, up to a fifth, or the one token of a step at either end. */
function keepPace(one: readonly number[], other: readonly number[]): boolean {
  const [from, to] = [Math.max(one[0]!, other[0]!), Math.min(one.at(-1)!, other.at(-1)!)]
  const counts = [one, other].map((times) => times.filter((time) => time >= from && time <= to))
  const [most, least] = [counts[0]!.length, counts[1]!.length].toSorted((a, b) => b - a)
  return most! - least! <= Math.max(1, 0.2 * most!)
}
