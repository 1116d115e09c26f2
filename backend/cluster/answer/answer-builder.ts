import type {
  AnswerUsage,
  Ending,
  GenerationEvent,
  SampledLogprob,
  Usage,
} from '../../../shared/api/events.ts'
import type { SampledLogprobs } from '../../engine/job.ts'
import type { Normalizer } from '../../processor/create-normalizer.ts'
import { ThoughtSplitter } from '../../processor/text/thought-splitter.ts'
import { StopMatcher } from '../../processor/text/stop-matcher.ts'
import type { AnswerPart, TextPart, WireEnding } from '../wire/answer-reader.ts'
import type { WireUsage } from '../wire/chunk.ts'

type TextEvent = Extract<GenerationEvent, { type: 'reasoning' | 'delta' }>

interface BuilderOptions {
  readonly vocabulary: Pick<Normalizer, 'tokenText' | 'tokenBytes'>
  readonly choices: number
  readonly stops: readonly string[]
  readonly withLogprobs: boolean
  /** Whether the model thinks before it answers, in which case its thought may be part of the engine's text. */
  readonly reasons: boolean
  /** Of each choice. */
  readonly maxTokens: number
  /** Whether `maxTokens` is what the context has room for, rather than what was requested. */
  readonly contextBound: boolean
  /** As this server counts them. */
  readonly prompt: { readonly promptTokens: number; readonly imageTokens: number }
}

interface Choice {
  readonly splitter: ThoughtSplitter
  readonly matcher: StopMatcher
  thought: string
  text: string
  /** Of text that may still be a thought. */
  logprobs: SampledLogprobs[]
  /** As counted by the engine, or else one for each of its parts. */
  tokens: number
  isCounted: boolean
  ending: WireEnding | undefined
}

/** Turns the parts of an engine's answer into what its reader sees, and adds up the usage. */
export class AnswerBuilder {
  readonly #options: BuilderOptions
  readonly #choices: readonly Choice[]
  /** The latest; its prompt tokens are those of the whole answer. */
  #usage: WireUsage | undefined
  /** Tokens of all choices. */
  #total: number | undefined
  #hasBegun = false

  constructor(options: BuilderOptions) {
    this.#options = options
    this.#choices = Array.from({ length: options.choices }, () => ({
      splitter: new ThoughtSplitter(options.reasons),
      matcher: new StopMatcher(options.stops),
      thought: '',
      text: '',
      logprobs: [],
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

  take(part: AnswerPart): TextEvent[] {
    this.#hasBegun = true
    if (part.type === 'usage') {
      this.#usage = part.usage
      this.#total = part.usage.completion_tokens
      return []
    }
    const choice = this.#choices[part.choice]!
    this.#count(choice, part)
    if (choice.matcher.stopped) return []
    const split = choice.splitter.push(part.text)
    if (part.ending !== undefined) choice.splitter.end()
    const certain = choice.matcher.push(split.answer)
    const text = part.ending === undefined ? certain : certain + choice.matcher.flush()
    const logprobs = logprobsOf(choice, part)
    return this.#eventsOf(part.choice, choice, part.thought + split.thought, text, logprobs)
  }

  /**
   * Text that was held back and not released, because the engine did not report its end. Call once, when no more parts
   * follow.
   */
  flush(): TextEvent[] {
    return this.#choices.flatMap((choice, index) => {
      if (choice.ending !== undefined) return []
      choice.splitter.end()
      return this.#eventsOf(index, choice, '', choice.matcher.flush(), [])
    })
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

  /** The same at the end, by the engine's own counts; undefined without plausible ones. */
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

  get thoughts(): string[] {
    return this.#choices.map(({ thought }) => thought)
  }

  /** Tokens of all thoughts, as the engine counts them; undefined when it does not. */
  get countedThoughts(): number | undefined {
    const { completion_tokens_details: details, reasoning_tokens: tokens } = this.#usage ?? {}
    return this.#total === undefined
      ? undefined
      : (details?.reasoning_tokens ?? tokens ?? undefined)
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

  #count(choice: Choice, { thought, text, logprobs, usage, ending }: TextPart): void {
    choice.isCounted = usage !== undefined
    const more = Math.max(logprobs.length, thought === '' && text === '' ? 0 : 1)
    choice.tokens = usage?.completion_tokens ?? choice.tokens + more
    if (usage !== undefined) this.#usage = usage
    choice.ending ??= ending
  }

  /** Of all choices. The engine's last report counts, if it covers all of them. */
  #totalTokens(): number | undefined {
    if (this.#total !== undefined) return this.#total
    const areCounted = this.#choices.every(({ isCounted }) => isCounted)
    return areCounted ? this.usage.completion_tokens : undefined
  }

  #eventsOf(
    index: number,
    choice: Choice,
    thought: string,
    text: string,
    logprobs: readonly SampledLogprobs[],
  ): TextEvent[] {
    choice.thought += thought
    choice.text += text
    const events: TextEvent[] = thought === '' ? [] : [{ type: 'reasoning', index, text: thought }]
    if (text === '' && logprobs.length === 0) return events
    const named = logprobs.map((each) => this.#named(each))
    const told = this.#options.withLogprobs && { logprobs: named }
    return [...events, { type: 'delta', index, text, ...told }]
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

/** The log probabilities to report with a part; those of a thought are never reported. */
function logprobsOf(choice: Choice, { thought, text, logprobs }: TextPart): SampledLogprobs[] {
  const { place } = choice.splitter
  const isThought = text === '' && thought !== ''
  const all = isThought ? choice.logprobs : [...choice.logprobs, ...logprobs]
  choice.logprobs = place === 'opening' ? all : []
  return place === 'answer' ? all : []
}
