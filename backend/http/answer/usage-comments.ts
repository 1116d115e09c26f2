import type { GenerationEvent, Usage } from '../../../shared/api/events.ts'
import { formatEndComment, formatUsageComment } from '../../../shared/forward/usage-comment.ts'
import type { Exchange } from '../exchange/exchange.ts'

/**
 * Milliseconds between two comments about usage; if its client leaves, the edge counts the events since the last one.
 */
const everyMs = 1_000

/** The usage comments of one stream: after its first text, periodically, and at its end. */
export class UsageComments {
  readonly #exchange: Exchange
  readonly #now: () => number
  #said: { readonly usage: Usage; readonly at: number } | undefined

  /** @param now milliseconds */
  constructor(exchange: Exchange, now: () => number) {
    this.#exchange = exchange
    this.#now = now
  }

  /** The comment that follows an event; often empty. */
  behind(event: GenerationEvent): string {
    if (event.type === 'end') return formatEndComment(event.usage)
    if (event.type === 'queued') return ''
    return this.#said !== undefined && this.#now() - this.#said.at < everyMs ? '' : this.#say()
  }

  /** The final comment of a stream that ends early. Without any text nothing counts as used. */
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
