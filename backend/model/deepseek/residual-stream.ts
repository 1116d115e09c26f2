import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { floatWeight } from '../../graph/layers.ts'
import {
  simplifiedLayerNormalization,
  skipSimplifiedLayerNormalization,
} from '../../graph/operators/normalization.ts'

/** The residual stream: the operator that computes the next norm also adds the branch's result. */
export class ResidualStream {
  readonly #g: GraphBuilder
  readonly #epsilon: number
  #sum: Value
  #branch: Value | undefined

  /** @param branch added to `start` before everything else */
  constructor(g: GraphBuilder, start: Value, epsilon: number, branch?: Value) {
    this.#g = g
    this.#sum = start
    this.#epsilon = epsilon
    this.#branch = branch
  }

  /** Each branch must be followed by `normed` or `end`. */
  add(branch: Value): void {
    this.#branch = branch
  }

  /**
   * The sum so far, and the branch still to be added to it, for the graph that continues. Adding them here would round
   * the next norm differently than the operator that does both.
   */
  end(): { readonly sum: Value; readonly branch: Value } {
    const branch = this.#branch
    if (branch === undefined) throw new RangeError('nothing was added since the last norm')
    return { sum: this.#sum, branch }
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
