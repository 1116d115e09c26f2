import type { Ending, FinishReason, GenerationEvent } from '../../shared/api/events.ts'
import { ChoiceText, type TextPart } from './choice-text.ts'
import type { EngineEvent } from '../engine/job.ts'
import type { Processor } from '../processor/processor.ts'

type TextEvent = Extract<GenerationEvent, { type: 'reasoning' | 'delta' }>

interface ChoiceTextsOptions {
  readonly choices: number
  readonly stops: readonly string[]
  readonly withLogprobs: boolean
  /** For each choice. */
  readonly maxTokens: number
  /** For all choices together: what the caller's limits leave for them. */
  readonly grantedTokens: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
}

/** The choices of one answer as their reader sees them: thoughts, texts up to a stop string, and why each one ended. */
export class ChoiceTexts {
  readonly #texts: readonly ChoiceText[]
  readonly #withLogprobs: boolean
  readonly #maxTokens: number
  readonly #grantedTokens: number

  constructor(processor: Processor, options: ChoiceTextsOptions) {
    const { choices, stops, withLogprobs, maxTokens, grantedTokens, reasons } = options
    this.#texts = Array.from({ length: choices }, () => new ChoiceText(processor, stops, reasons))
    this.#withLogprobs = withLogprobs
    this.#maxTokens = maxTokens
    this.#grantedTokens = grantedTokens
  }

  /** Tokens received after those that completed a stop string. */
  get ignoredTokens(): number {
    return this.#texts.reduce((tokens, text) => tokens + text.ignoredTokens, 0)
  }

  /** Tokens of all thoughts. */
  get thoughtTokens(): number {
    return this.#texts.reduce((tokens, text) => tokens + text.thoughtTokens, 0)
  }

  /** Whether a stop string was found in a choice; no more tokens are wanted then. */
  stopped(choice: number): boolean {
    return this.#texts[choice]!.stopped
  }

  push({ choice, ids, logprobs }: Extract<EngineEvent, { type: 'tokens' }>): TextEvent[] {
    return this.#eventsOf(choice, this.#texts[choice]!.push(ids, logprobs))
  }

  /** The text that was held back. Call once, when no more tokens follow. */
  flush(): TextEvent[] {
    return this.#texts.flatMap((text, choice) => this.#eventsOf(choice, text.flush()))
  }

  /** The engine's reasons, except `stop` wherever a stop string was found, even if only in the very last token. */
  endings(reasons: readonly FinishReason[]): [Ending, ...Ending[]] {
    const inAll = this.#texts.reduce((sum, { tokens }) => sum + tokens, 0)
    return this.#texts.map(({ stoppedBy, tokens }, choice): Ending => {
      if (stoppedBy !== undefined) return { reason: 'stop', stopText: stoppedBy }
      const reason = reasons[choice]!
      const isFull = tokens < this.#maxTokens && inAll < this.#grantedTokens
      return reason === 'length' && isFull ? { reason, contextFull: true } : { reason }
    }) as [Ending, ...Ending[]]
  }

  /** Tokens that end inside a character, a marker or a stop string may add no text yet; then there is no event. */
  #eventsOf(index: number, { thought, text, logprobs }: TextPart): TextEvent[] {
    const events: TextEvent[] =
      thought === undefined ? [] : [{ type: 'reasoning', index, text: thought }]
    if (text === '' && logprobs.length === 0) return events
    return [...events, { type: 'delta', index, text, ...(this.#withLogprobs && { logprobs }) }]
  }
}
