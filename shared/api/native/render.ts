import type {
  ChoiceAnswer,
  GenerateAnswer,
  GenerationEvent,
  NativeLogprob,
  SampledLogprob,
} from '../events.ts'
import type { Renderer } from '../doors/renderer.ts'
import { LazyList } from '../wire/json-pieces.ts'
import { formatEvent, heartbeatText } from '../wire/sse.ts'
import { nativeErrors } from './error-form.ts'

interface NativeOptions {
  readonly requestId: string
  /** Answers asked for; with one, events name no choice. */
  readonly choices: number
  /** Whether log probabilities were asked for. */
  readonly withLogprobs: boolean
}

interface WrittenChoice extends Omit<ChoiceAnswer, 'logprobs'> {
  readonly logprobs?: LazyList<SampledLogprob>
}

/** Answers as the native routes give them. */
export function nativeRenderer({ requestId, choices, withLogprobs }: NativeOptions): Renderer {
  const several = choices > 1
  return {
    headerDelayMs: 300,
    heartbeat: heartbeatText,
    whole(answer) {
      const outputs = answer.choices.map(
        ({ text, reasoning, reason, logprobs }): WrittenChoice => ({
          output: text,
          ...(reasoning !== '' && { reasoning }),
          finish_reason: reason,
          ...(withLogprobs && { logprobs: new LazyList(logprobs, nativeLogprob) }),
        }),
      )
      return {
        ...outputs[0]!,
        ...(several && { outputs }),
        usage: answer.usage,
        timings: answer.timings,
        request_id: requestId,
      } satisfies Omit<GenerateAnswer, keyof ChoiceAnswer | 'outputs'>
    },
    event: (event) => [eventText(event, requestId, several)],
    failure: (error) => nativeErrors.streamed(error, requestId, ''),
  }
}

function eventText(event: GenerationEvent, requestId: string, several: boolean): string {
  switch (event.type) {
    case 'queued':
      return formatEvent('queued', { request_id: requestId, position: event.position })
    case 'reasoning':
      return formatEvent('reasoning', { ...(several && { index: event.index }), text: event.text })
    case 'delta':
      return formatEvent('delta', {
        ...(several && { index: event.index }),
        text: event.text,
        ...(event.logprobs && { logprobs: event.logprobs.map(nativeLogprob) }),
      })
    case 'end':
      return formatEvent('end', {
        finish_reason: event.endings[0].reason,
        ...(several && { finish_reasons: event.endings.map(({ reason }) => reason) }),
        usage: event.usage,
        timings: event.timings,
        request_id: requestId,
      })
  }
}

function nativeLogprob({ top, ...sampled }: SampledLogprob): NativeLogprob {
  return { ...nativeToken(sampled), top: top.map(nativeToken) }
}

function nativeToken({ token, id, logprob }: Omit<SampledLogprob, 'top'>) {
  return { token, id, logprob }
}
