import type { SampledLogprob } from '../../shared/api/events.ts'
import type { SampledLogprobs } from '../engine/job.ts'
import type { Detokenizer, Processor } from '../processor/processor.ts'
import { StopMatcher } from '../processor/text/stop-matcher.ts'
import { ThoughtSplitter } from '../processor/text/thought-splitter.ts'

/** A further part of an answer: text, and on request the log probabilities of the tokens that begin in it. */
export interface TextPart {
  /** More of what the model thinks before it answers, if anything. */
  readonly thought?: string
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
 * Turns the tokens of one choice into what its reader sees: the thought, if the model has one, and the answer up to the
 * first stop string. The overall result does not depend on how the tokens are grouped.
 */
export class ChoiceText {
  readonly #processor: Pick<Processor, 'tokenText' | 'tokenBytes'>
  readonly #detokenizer: Detokenizer
  readonly #splitter: ThoughtSplitter
  readonly #matcher: StopMatcher
  readonly #held: HeldToken[] = []
  /** Characters of the answer, including and excluding those held back. */
  #decoded = 0
  #released = 0
  #tokens = 0
  #thoughtTokens = 0
  #ignoredTokens = 0

  /** @param reasons whether the model thinks before it answers; stop strings are searched for in the answer only */
  constructor(processor: Processor, stops: readonly string[], reasons = false) {
    this.#processor = processor
    this.#detokenizer = processor.createDetokenizer()
    this.#splitter = new ThoughtSplitter(reasons)
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

  /** How many of them are the thought, its marks included. */
  get thoughtTokens(): number {
    return this.#thoughtTokens
  }

  /** Tokens received after the one that completed a stop string. */
  get ignoredTokens(): number {
    return this.#ignoredTokens
  }

  /** @param logprobs one per id, or none */
  push(ids: readonly number[], logprobs: readonly SampledLogprobs[] = []): TextPart {
    let [thought, text] = ['', '']
    ids.forEach((id, index) => {
      if (this.stopped) {
        this.#ignoredTokens += 1
        return
      }
      this.#tokens += 1
      this.#hold(logprobs[index])
      const decoded = this.#detokenizer.push([id])
      const part = this.#splitter.push(decoded)
      this.#leaveOutThought(decoded)
      thought += part.thought
      text += this.#match(part.answer)
    })
    return this.#release(thought, text, (token) => token.start < this.#released)
  }

  /** Call once, when no more tokens follow. */
  flush(): TextPart {
    const { thought, answer } = this.#splitter.push(this.#detokenizer.flush())
    this.#splitter.end()
    if (this.#splitter.place !== 'answer') this.#leaveOut()
    const text = this.#match(answer) + this.#matcher.flush()
    return this.#release(thought, text, () => !this.stopped)
  }

  #hold(logprobs: SampledLogprobs | undefined): void {
    if (logprobs === undefined) return
    this.#held.push({ logprobs, start: this.#decoded + this.#splitter.undecided })
  }

  /**
   * The latest tokens belong to the thought if the text has not got beyond it. After its end, a token without text may
   * be the beginning of the answer's first character.
   * @param decoded what the latest token added
   */
  #leaveOutThought(decoded: string): void {
    const { place } = this.#splitter
    if (place === 'thought' || (place === 'gap' && decoded !== '')) this.#leaveOut()
  }

  #leaveOut(): void {
    this.#thoughtTokens = this.#tokens
    this.#held.length = 0
  }

  #match(answer: string): string {
    this.#decoded += answer.length
    return this.#matcher.push(answer)
  }

  #release(thought: string, text: string, isCertain: (token: HeldToken) => boolean): TextPart {
    this.#released += text.length
    const firstHeld = this.#held.findIndex((token) => !isCertain(token))
    const certain = this.#held.splice(0, firstHeld < 0 ? this.#held.length : firstHeld)
    const logprobs = certain.map((token) => this.#tell(token.logprobs))
    return { ...(thought !== '' && { thought }), text, logprobs }
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
