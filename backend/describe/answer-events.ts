import type { GenerationEvent, Usage } from '../../shared/api/events.ts'
import type { EngineEvent, EnginePhase } from '../engine/job.ts'
import type { ChoiceTexts } from './choice-texts.ts'
import { timingsOf } from './timings.ts'

/** Who follows an answer from outside. */
interface Observer {
  readonly onPhase?: ((phase: EnginePhase, epochMs: number) => void) | undefined
  readonly onUsage?: ((usage: Usage, choice: number) => void) | undefined
}

interface AnswerEventsOptions {
  /** Of the prompt, images included. */
  readonly promptTokens: number
  readonly imageTokens: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
  readonly prepareMs: number
  /** Milliseconds since the request arrived. */
  readonly elapsedMs: () => number
}

/** Turns what the engine reports of one job into what the reader of the answer sees. */
export class AnswerEvents {
  readonly #texts: ChoiceTexts
  readonly #observer: Observer
  readonly #options: AnswerEventsOptions
  #sampledTokens = 0

  constructor(texts: ChoiceTexts, observer: Observer, options: AnswerEventsOptions) {
    this.#texts = texts
    this.#observer = observer
    this.#options = options
  }

  take(event: EngineEvent): GenerationEvent[] {
    const { promptTokens, imageTokens } = this.#options
    switch (event.type) {
      case 'queued':
        return [{ ...event, promptTokens, imageTokens }]
      case 'phase':
        this.#observer.onPhase?.(event.phase, event.epochMs)
        return []
      case 'tokens':
        this.#sampledTokens += event.ids.length
        this.#observer.onUsage?.(this.#usage(this.#sampledTokens), event.choice)
        return this.#texts.push(event)
      case 'end':
        return [...this.#texts.flush(), this.#end(event)]
    }
  }

  #end({
    finishReasons,
    completionTokens,
    cachedTokens,
    timings,
  }: Extract<EngineEvent, { type: 'end' }>): GenerationEvent {
    const { reasons, prepareMs, elapsedMs } = this.#options
    return {
      type: 'end',
      endings: this.#texts.endings(finishReasons),
      usage: {
        ...this.#usage(completionTokens - this.#texts.ignoredTokens),
        cached_tokens: cachedTokens,
        ...(reasons && { reasoning_tokens: this.#texts.thoughtTokens }),
      },
      timings: timingsOf(timings, prepareMs, elapsedMs()),
    }
  }

  #usage(completion_tokens: number): Usage {
    const { promptTokens: prompt_tokens, imageTokens: image_tokens } = this.#options
    return { prompt_tokens, image_tokens, completion_tokens }
  }
}
