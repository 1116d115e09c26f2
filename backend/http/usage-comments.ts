import type { GenerationEvent, Usage } from '../../shared/api/events.ts'
import { formatEndComment, formatUsageComment } from '../../shared/forward/usage-comment.ts'
import type { Exchange } from './exchange.ts'

/** Milliseconds between two comments about usage: an edge whose client leaves knows the tokens since by their events. */
const everyMs = 1_000

/** The comments of one stream that say what it has used: behind its first text, then now and then, and at its end. */
export class UsageComments {
  readonly #exchange: Exchange
  readonly #now: () => number
  #said: { readonly usage: Usage; readonly at: number } | undefined

  /** @param now milliseconds */
  constructor(exchange: Exchange, now: () => number) {
    this.#exchange = exchange
    this.#now = now
  }

  /** What is to stand behind an event; often nothing. */
  behind(event: GenerationEvent): string {
    if (event.type === 'end') return formatEndComment(event.usage)
    if (event.type !== 'delta') return ''
    return this.#said !== undefined && this.#now() - this.#said.at < everyMs ? '' : this.#say()
  }

  /** What is left to say of a stream that ends early. Without any text nothing counts as used. */
  rest(): string {
    return this.#said === undefined ? '' : this.#say()
  }

  #say(): string {
    const { usage } = this.#exchange.facts
    if (usage === undefined || usage === this.#said?.usage) return ''
    this.#said = { usage, at: this.#now() }
    return formatUsageComment(usage)
  }
}
