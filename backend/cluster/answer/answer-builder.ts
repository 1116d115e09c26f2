import type {
  AnswerUsage,
  Ending,
  GenerationEvent,
  SampledLogprob,
  Usage,
} from '../../../shared/api/events.ts'
import type { SampledLogprobs } from '../../engine/job.ts'
import type { Normalizer } from '../../processor/create-normalizer.ts'
import { StopMatcher } from '../../processor/stop-matcher.ts'
import type { AnswerPart, TextPart, WireEnding } from '../wire/answer-reader.ts'
import type { WireUsage } from '../wire/chunk.ts'

type Delta = Extract<GenerationEvent, { type: 'delta' }>

interface BuilderOptions {
  readonly vocabulary: Pick<Normalizer, 'tokenText' | 'tokenBytes'>
  readonly choices: number
  readonly stops: readonly string[]
  readonly withLogprobs: boolean
  /** Of each choice. */
  readonly maxTokens: number
  /** Whether `maxTokens` is what the context has room for, rather than what was asked. */
  readonly contextBound: boolean
  /** As this server counts them. */
  readonly prompt: { readonly promptTokens: number; readonly imageTokens: number }
}

interface Choice {
  readonly matcher: StopMatcher
  text: string
  /** As the engine counts them, or else one for each of its parts. */
  tokens: number
  isCounted: boolean
  ending: WireEnding | undefined
}

/** Makes of an engine's parts what the reader of the answer sees, and adds up what it used. */
export class AnswerBuilder {
  readonly #options: BuilderOptions
  readonly #choices: readonly Choice[]
  /** The latest, of which the prompt's part is that of the whole answer. */
  #usage: WireUsage | undefined
  /** Tokens of all choices. */
  #total: number | undefined
  #hasBegun = false

  constructor(options: BuilderOptions) {
    this.#options = options
    this.#choices = Array.from({ length: options.choices }, () => ({
      matcher: new StopMatcher(options.stops),
      text: '',
      tokens: 0,
      isCounted: false,
      ending: undefined,
    }))
  }

  /** Whether a token has come. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** Whether nothing more is wanted: an engine may ignore the stop texts. */
  get isStopped(): boolean {
    return this.#choices.every(({ matcher }) => matcher.stopped)
  }

  take(part: AnswerPart): Delta[] {
    this.#hasBegun = true
    if (part.type === 'usage') {
      this.#usage = part.usage
      this.#total = part.usage.completion_tokens
      return []
    }
    const choice = this.#choices[part.choice]!
    this.#count(choice, part)
    if (choice.matcher.stopped) return []
    const certain = choice.matcher.push(part.text)
    const text = part.ending === undefined ? certain : certain + choice.matcher.flush()
    return this.#delta(part.choice, choice, text, part.logprobs)
  }

  /** What the engine's end has not released, because there was none. Call once, when no more parts follow. */
  flush(): Delta[] {
    return this.#choices.flatMap((choice, index) =>
      choice.ending === undefined ? this.#delta(index, choice, choice.matcher.flush(), []) : [],
    )
  }

  /** What the answer has used so far. */
  get usage(): Usage {
    const { promptTokens, imageTokens } = this.#options.prompt
    return {
      prompt_tokens: this.#usage?.prompt_tokens ?? promptTokens,
      image_tokens: this.#usage?.prompt_tokens_details?.image_tokens ?? imageTokens,
      completion_tokens: this.#choices.reduce((sum, { tokens }) => sum + tokens, 0),
    }
  }

  /** The same at the end, by the engine's own counts; undefined when it gave none that can be true. */
  get countedUsage(): AnswerUsage | undefined {
    const { choices, maxTokens } = this.#options
    const cached_tokens = this.#usage?.prompt_tokens_details?.cached_tokens ?? 0
    const completion_tokens = this.#totalTokens()
    // One more, because some engines count the token that ended the answer.
    if (completion_tokens === undefined || completion_tokens > choices * (maxTokens + 1)) {
      return undefined
    }
    return { ...this.usage, completion_tokens, cached_tokens }
  }

  get texts(): string[] {
    return this.#choices.map(({ text }) => text)
  }

  endings(): [Ending, ...Ending[]] {
    const { stops, contextBound } = this.#options
    return this.#choices.map(({ matcher, ending }): Ending => {
      if (matcher.stoppedBy !== undefined) return { reason: 'stop', stopText: matcher.stoppedBy }
      if (ending === undefined) return { reason: 'timeout' }
      const { reason, stopText } = ending
      if (reason === 'length') return contextBound ? { reason, contextFull: true } : { reason }
      return stopText !== undefined && stops.includes(stopText) ? { reason, stopText } : { reason }
    }) as [Ending, ...Ending[]]
  }

  #count(choice: Choice, { text, logprobs, usage, ending }: TextPart): void {
    choice.isCounted = usage !== undefined
    const more = Math.max(logprobs.length, text === '' ? 0 : 1)
    choice.tokens = usage?.completion_tokens ?? choice.tokens + more
    if (usage !== undefined) this.#usage = usage
    choice.ending ??= ending
  }

  /** Of all choices. The engine's last word counts, if it is about all of them. */
  #totalTokens(): number | undefined {
    if (this.#total !== undefined) return this.#total
    const areCounted = this.#choices.every(({ isCounted }) => isCounted)
    return areCounted ? this.usage.completion_tokens : undefined
  }

  #delta(
    index: number,
    choice: Choice,
    text: string,
    logprobs: readonly SampledLogprobs[],
  ): Delta[] {
    choice.text += text
    if (text === '' && logprobs.length === 0) return []
    const named = logprobs.map((each) => this.#named(each))
    return [{ type: 'delta', index, text, ...(this.#options.withLogprobs && { logprobs: named }) }]
  }

  #named({ id, logprob, top }: SampledLogprobs): SampledLogprob {
    const { tokenText, tokenBytes } = this.#options.vocabulary
    const name = (token: { readonly id: number; readonly logprob: number }) => ({
      token: tokenText(token.id),
      id: token.id,
      logprob: token.logprob,
      bytes: tokenBytes(token.id),
    })
    return { ...name({ id, logprob }), top: top.map(name) }
  }
}
