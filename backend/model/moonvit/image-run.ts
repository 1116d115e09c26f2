import type { ImageFeatures, ImageRun } from '../model.ts'
import type { Pass } from './passes.ts'

/** Fewer patches at a time would cost more per patch: weights, keys and values are read once per piece. */
const leastPatches = 64

export interface SlicedRunOptions {
  readonly patches: number
  readonly passes: readonly Pass[]
  /** Filled by the last pass. */
  readonly features: ImageFeatures
  /** Frees what only the passes need. */
  readonly release: () => void
}

/** Divides an image's way through the tower into pieces of roughly the requested amount of work. */
export class SlicedRun implements ImageRun {
  readonly #options: SlicedRunOptions
  /** Index of the current pass. */
  #pass = 0
  #through = 0
  #closed = false

  constructor(options: SlicedRunOptions) {
    this.#options = options
  }

  get features(): ImageFeatures | undefined {
    const { passes, features } = this.#options
    return this.#pass === passes.length ? features : undefined
  }

  async advance(work: number): Promise<number> {
    let done = 0
    for (;;) {
      const pass = this.#options.passes[this.#pass]
      if (pass === undefined) return done
      const count = this.#pieceOf(pass, work - done)
      const cost = count * pass.workPerPatch
      if (done > 0 && done + cost > work) return done
      await pass.run(this.#through, this.#through + count)
      this.#passed(count)
      done += cost
    }
  }

  close(): void {
    if (!this.#closed) this.#options.release()
    this.#closed = true
  }

  /** Patches of the next piece: as many as the work allows, but not fewer than run efficiently. */
  #pieceOf({ unit, mostPatches = Infinity, workPerPatch }: Pass, work: number): number {
    const wholeUnits = (count: number) => Math.floor(count / unit) * unit
    const count = Math.max(wholeUnits(work / workPerPatch), wholeUnits(leastPatches + unit - 1))
    const most = Math.max(unit, wholeUnits(mostPatches))
    return Math.min(this.#options.patches - this.#through, count, most)
  }

  #passed(patches: number): void {
    this.#through += patches
    if (this.#through < this.#options.patches) return
    this.#through = 0
    this.#pass += 1
    if (this.features !== undefined) this.close()
  }
}
