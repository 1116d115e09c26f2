/**
 * How far sums over a whole row may be off (`LogitBins`), with a margin: where a limit is this close to a token's end,
 * only the row shows on which side it is.
 */
const slack = 1e-7

/** The first `count` contenders, and no others or perhaps some: their mass is between 0 and `restMass`. */
export interface Kept {
  readonly count: number
  readonly restMass: number
}

/**
 * Where a share of the kept mass is reached.
 * @param sums of the contenders' masses, up to each
 * @returns undefined when it may be elsewhere
 */
export function placeAt(
  sums: readonly number[],
  { count, restMass }: Kept,
  share: number,
): number | undefined {
  const mass = sums[count - 1]!
  const [least, most] = [share * mass * (1 - slack), share * (mass + restMass) * (1 + slack)]
  const place = sums.findIndex((sum) => sum > least)
  return place < count && sums[place]! > most ? place : undefined
}
