import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { floatWeight } from '../../graph/layers.ts'
import {
  simplifiedLayerNormalization,
  skipSimplifiedLayerNormalization,
} from '../../graph/operators.ts'

/** The residual stream: the operator that computes the next norm also adds the branch's result. */
export class ResidualStream {
  readonly #g: GraphBuilder
  readonly #epsilon: number
  #sum: Value
  #branch: Value | undefined

  constructor(g: GraphBuilder, start: Value, epsilon: number) {
    this.#g = g
    this.#sum = start
    this.#epsilon = epsilon
  }

  /** Each branch must be followed by `normed`. */
  add(branch: Value): void {
    this.#branch = branch
  }

  /** RMSNorm of everything added so far. */
  normed(name: string, weight: Parameters<typeof floatWeight>[2]): Value {
    return this.#g.scope(name, () => {
      const scale = floatWeight(this.#g, 'weight', weight)
      if (this.#branch === undefined) {
        return simplifiedLayerNormalization(this.#g, this.#sum, scale, this.#epsilon)
      }
      const branch = this.#branch
      this.#branch = undefined
      const { normalized, sum } = skipSimplifiedLayerNormalization(
        this.#g,
        this.#sum,
        branch,
        scale,
        this.#epsilon,
      )
      this.#sum = sum
      return normalized
    })
  }
}
