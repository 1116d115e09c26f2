/** A setting that nothing reads, and the one that was probably meant. */
export interface Misspelt {
  readonly name: string
  readonly meant: string
}

/** From this length on, a name with two mistakes still leaves no doubt about what was meant. */
const longName = 8

/** Longer names are not compared, because the work grows with the product of both lengths. */
const maxChars = 64

/** Names in `given` that are not `known` but resemble one that is. */
export function misspelt(given: Iterable<string>, known: readonly string[]): Misspelt[] {
  return [...given].flatMap((name) => {
    const meant = nearestName(name, known)
    return meant === undefined ? [] : [{ name, meant }]
  })
}

/** The known name closest to `name`; undefined when `name` is known itself or resembles none. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (known.includes(name) || name.length > maxChars) return undefined
  const [nearest] = known
    .map((candidate) => ({ candidate, mistakes: distance(name.toUpperCase(), candidate) }))
    .filter(({ candidate, mistakes }) => mistakes <= (candidate.length < longName ? 1 : 2))
    .toSorted((a, b) => a.mistakes - b.mistakes)
  return nearest?.candidate
}

/**
 * Number of characters to insert, delete, replace or swap with their neighbour to turn one text into the other
 * (optimal string alignment).
 */
function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const isEqual = from[row - 1] === to[column - 1]
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (isEqual ? 0 : 1),
        row > 1 && column > 1 && isSwap ? beforeLast[column - 2]! + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[to.length]!
}
