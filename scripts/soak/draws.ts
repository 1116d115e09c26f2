import { createRandom } from '../../backend/engine/sampling/random.ts'

/** Random choices, always the same for a seed. */
export interface Draws {
  /** A whole number from 0 up to, not including, `limit`. */
  readonly below: (limit: number) => number
  readonly oneIn: (count: number) => boolean
  readonly pick: <Value>(values: readonly Value[]) => Value
}

export function createDraws(seed: number): Draws {
  const random = createRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  return {
    below,
    oneIn: (count) => below(count) === 0,
    pick: (values) => values[below(values.length)]!,
  }
}
