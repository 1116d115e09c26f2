import { Constraint, PreparedGrammar } from './constraint.ts'
import type { Grammar } from './grammar.ts'
import { maxGrammarBytes } from './limits.ts'
import type { Vocabulary } from './masks/vocabulary.ts'

/** Opens constraints, and caches what was prepared for the most recent grammars. */
export class Constraints {
  readonly vocabulary: Vocabulary
  /** By key, the least recently used first. */
  readonly #kept = new Map<string, PreparedGrammar>()

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary
  }

  /** @param stopIds end the answer where its text may end */
  open(grammar: Grammar, stopIds: readonly number[]): Constraint {
    const prepared = this.#kept.get(grammar.key) ?? new PreparedGrammar(grammar, this.vocabulary)
    this.#kept.delete(grammar.key)
    this.#kept.set(grammar.key, prepared)
    this.#makeRoom()
    return new Constraint(prepared, stopIds)
  }

  /** Those in use live on in their constraints. */
  #makeRoom(): void {
    let bytes = 0
    for (const { size } of this.#kept.values()) bytes += size
    for (const [key, { size }] of this.#kept) {
      if (bytes <= maxGrammarBytes || this.#kept.size === 1) return
      this.#kept.delete(key)
      bytes -= size
    }
  }
}
