import type { SampledLogprob } from '../shared/api/events.ts'
import type { SampledLogprobs } from './engine/job.ts'
import type { Detokenizer, Processor } from './processor/processor.ts'
import { StopMatcher } from './processor/stop-matcher.ts'

/** A further part of an answer: text, and on request the log probabilities of the tokens that begin in it. */
export interface TextPart {
  readonly text: string
  readonly logprobs: readonly SampledLogprob[]
}

/** A token whose log probabilities are reported once its text is certain to be part of the answer. */
interface HeldToken {
  readonly logprobs: SampledLogprobs
  /** Characters of the answer before it. */
  readonly start: number
}

/**
 * Turns the tokens of one choice into what its reader sees: text up to the first stop string. The overall result does
 * not depend on how the tokens are grouped.
 */
export class ChoiceText {
  readonly #processor: Pick<Processor, 'tokenText' | 'tokenBytes'>
  readonly #detokenizer: Detokenizer
  readonly #matcher: StopMatcher
  readonly #held: HeldToken[] = []
  /** Characters including and excluding those held back. */
  #decoded = 0
  #released = 0
  #tokens = 0
  #ignoredTokens = 0

  constructor(processor: Processor, stops: readonly string[]) {
    this.#processor = processor
    this.#detokenizer = processor.createDetokenizer()
    this.#matcher = new StopMatcher(stops)
  }

  /** Whether a stop string was found; no more tokens are wanted then. */
  get stopped(): boolean {
    return this.#matcher.stopped
  }

  /** The stop string that was found. */
  get stoppedBy(): string | undefined {
    return this.#matcher.stoppedBy
  }

  /** Tokens received, not counting those after a stop string. */
  get tokens(): number {
    return this.#tokens
  }

  /** Tokens received after the one that completed a stop string. */
  get ignoredTokens(): number {
    return this.#ignoredTokens
  }

  /** @param logprobs one per id, or none */
  push(ids: readonly number[], logprobs: readonly SampledLogprobs[] = []): TextPart {
    let text = ''
    ids.forEach((id, index) => {
      if (this.stopped) {
        this.#ignoredTokens += 1
        return
      }
      this.#tokens += 1
      const sampled = logprobs[index]
      if (sampled !== undefined) this.#held.push({ logprobs: sampled, start: this.#decoded })
      text += this.#match(this.#detokenizer.push([id]))
    })
    return this.#release(text, (token) => token.start < this.#released)
  }

  /** Call once, when no more tokens follow. */
  flush(): TextPart {
    const text = this.#match(this.#detokenizer.flush()) + this.#matcher.flush()
    return this.#release(text, () => !this.stopped)
  }

  #match(decoded: string): string {
    this.#decoded += decoded.length
    return this.#matcher.push(decoded)
  }

  #release(text: string, isCertain: (token: HeldToken) => boolean): TextPart {
    this.#released += text.length
    const firstHeld = this.#held.findIndex((token) => !isCertain(token))
    const certain = this.#held.splice(0, firstHeld < 0 ? this.#held.length : firstHeld)
    return { text, logprobs: certain.map((token) => this.#tell(token.logprobs)) }
  }

  #tell({ id, logprob, top }: SampledLogprobs): SampledLogprob {
    const name = (token: { id: number; logprob: number }) => ({
      token: this.#processor.tokenText(token.id),
      id: token.id,
      logprob: token.logprob,
      bytes: this.#processor.tokenBytes(token.id),
    })
    return { ...name({ id, logprob }), top: top.map(name) }
  }
}
