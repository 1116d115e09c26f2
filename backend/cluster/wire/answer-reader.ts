import type { SampledLogprobs } from '../../engine/job.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import {
  parseChunk,
  type WireChoice,
  type WireLogprob,
  type WireToken,
  type WireUsage,
} from './chunk.ts'

/** What was asked, as far as an answer must agree with it. */
export interface Expected {
  /** Names of the model that may stand in the answer. */
  readonly names: readonly string[]
  readonly choices: number
  /** Of each choice. */
  readonly maxTokens: number
  /** Log probabilities, if any were asked for. */
  readonly logprobs:
    { readonly top: number; readonly tokenId: (token: WireToken) => number | undefined } | undefined
}

export interface TextPart {
  readonly type: 'text'
  readonly choice: number
  /** What the model thinks, if the engine separates it from the text. */
  readonly thought: string
  readonly text: string
  readonly logprobs: readonly SampledLogprobs[]
  /** Of this choice so far, where the engine says it. */
  readonly usage: WireUsage | undefined
  /** Set in the last part of each choice. */
  readonly ending: WireEnding | undefined
}

export interface WireEnding {
  readonly reason: 'stop' | 'length'
  /** The text that ended it, where the engine says it. */
  readonly stopText: string | undefined
}

/** Part of an engine's answer. Each of them is progress; the usage of all choices comes once, if at all. */
export type AnswerPart = TextPart | { readonly type: 'usage'; readonly usage: WireUsage }

/** What follows the last chunk. Without it the answer is not whole. */
const doneMark = '[DONE]'

/** Chunks of a choice beyond its tokens: the role, the end, and text held back at a stop text. */
const spareChunks = 16

/** Characters of the longest token of any vocabulary, by far: a line of 256 blanks or dashes is one. */
const maxTokenChars = 512

/**
 * The parts of an answer that is exactly what was asked, to its very end.
 * @param events the data of the answer's events
 * @throws {EngineProblem} `broken` for anything else
 */
export async function* readAnswer(
  events: AsyncIterable<string>,
  expected: Expected,
): AsyncGenerator<AnswerPart> {
  const choices = Array.from({ length: expected.choices }, () => new ChoiceCheck(expected))
  let counted = false
  for await (const data of events) {
    if (data === doneMark) {
      const open = choices.filter(({ ended }) => !ended).length
      if (open === 0) return
      throw new EngineProblem('broken', `the answer ended before ${open} of its choices`)
    }
    const chunk = parseChunk(data)
    if (chunk.model != null && !expected.names.includes(chunk.model)) {
      throw new EngineProblem('broken', 'an answer of another model')
    }
    for (const choice of chunk.choices) {
      const check = choices[choice.index]
      if (check === undefined) {
        throw new EngineProblem('broken', `choice ${choice.index} was not requested`)
      }
      const part = check.take(choice, chunk.usage ?? undefined)
      if (part !== undefined) yield part
    }
    if (chunk.choices.length === 0 && chunk.usage != null && !counted) {
      counted = true
      yield { type: 'usage', usage: chunk.usage }
    }
  }
  throw new EngineProblem('broken', 'the answer was cut off')
}

/** Follows one choice to its end. */
class ChoiceCheck {
  readonly #expected: Expected
  readonly #maxChunks: number
  readonly #maxChars: number
  ended = false
  #chunks = 0
  #chars = 0

  constructor(expected: Expected) {
    const { maxTokens } = expected
    this.#expected = expected
    this.#maxChunks = maxTokens + spareChunks
    this.#maxChars = (maxTokens + spareChunks) * maxTokenChars
  }

  /** @returns undefined when it has nothing new */
  take(choice: WireChoice, usage: WireUsage | undefined): TextPart | undefined {
    const { index, delta, logprobs } = choice
    const text = delta?.content ?? ''
    const thought = delta?.reasoning ?? delta?.reasoning_content ?? ''
    const ending = endingOf(choice)
    if (text === '' && thought === '' && ending === undefined && !logprobs?.content?.length) {
      return undefined
    }
    this.#count(text.length + thought.length)
    if (ending !== undefined) this.ended = true
    return {
      type: 'text',
      choice: index,
      thought,
      text,
      logprobs: (logprobs?.content ?? []).map((each) => this.#logprobsOf(each)),
      usage,
      ending,
    }
  }

  #logprobsOf({ top_logprobs: top, ...sampled }: WireLogprob): SampledLogprobs {
    const { logprobs } = this.#expected
    if (logprobs === undefined) {
      throw new EngineProblem('broken', 'log probabilities that were not requested')
    }
    const idOf = (token: WireToken) => {
      const id = logprobs.tokenId(token)
      if (id === undefined) throw new EngineProblem('broken', 'a token without its id')
      return { id, logprob: token.logprob }
    }
    return { ...idOf(sampled), top: (top ?? []).slice(0, logprobs.top).map(idOf) }
  }

  #count(chars: number): void {
    if (this.ended) throw new EngineProblem('broken', 'text after the end of a choice')
    this.#chunks += 1
    this.#chars += chars
    if (this.#chunks > this.#maxChunks || this.#chars > this.#maxChars) {
      throw new EngineProblem('broken', 'more text than was requested')
    }
  }
}

function endingOf({
  finish_reason,
  stop_reason,
  matched_stop,
}: WireChoice): WireEnding | undefined {
  // Some engines send an empty text until there is a reason.
  if (finish_reason == null || finish_reason === '') return undefined
  if (finish_reason !== 'stop' && finish_reason !== 'length') {
    // Such as abort, error, content_filter and tool_calls: not an answer.
    throw new EngineProblem('broken', 'a choice that ended neither by itself nor at its limit')
  }
  const stop = stop_reason ?? matched_stop
  return { reason: finish_reason, stopText: typeof stop === 'string' ? stop : undefined }
}
