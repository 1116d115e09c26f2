import type { StreamEvents } from '../../../../shared/api/wire/sse.ts'
import type { AnswerPanel } from './answer/answer-panel.ts'
import { AskFailure } from './problem.ts'
import { type Question, requestOf } from './question.ts'
import type { AnswerEnd, AnswerRecord } from './history/record.ts'
import { sendQuestion } from './send.ts'

/** Asks, shows the answer as it arrives, and returns what arrived of it. Aborting counts as stopping. */
export async function runQuestion(
  question: Question,
  key: string | undefined,
  signal: AbortSignal,
  panel: AnswerPanel,
): Promise<AnswerRecord> {
  const texts: string[] = []
  const thoughts: string[] = []
  const record = (rest: Partial<AnswerRecord>): AnswerRecord => ({
    settings: question.settings,
    texts: Array.from(texts, (text) => text ?? ''),
    thoughts: Array.from(thoughts, (text) => text ?? ''),
    stopped: false,
    ...rest,
  })
  panel.showState('Sending')
  try {
    for await (const event of sendQuestion(requestOf(question), key, signal)) {
      switch (event.type) {
        case 'queued':
          panel.showState(
            event.data.position === 0 ? 'Reading' : `Waiting, ${event.data.position} ahead`,
          )
          break
        case 'reasoning': {
          const { index = 0, text } = event.data
          panel.showState('Thinking')
          thoughts[index] = (thoughts[index] ?? '') + text
          panel.addThought(index, text)
          break
        }
        case 'delta': {
          const { index = 0, text } = event.data
          panel.showState('Writing')
          texts[index] = (texts[index] ?? '') + text
          panel.addText(index, text)
          break
        }
        case 'end':
          return record({ end: endOf(event.data) })
      }
    }
    return record({})
  } catch (error) {
    if (error instanceof AskFailure) return record({ problem: error.problem })
    if (signal.aborted) return record({ stopped: true })
    throw error
  }
}

function endOf({
  finish_reason,
  finish_reasons,
  usage,
  timings,
  request_id,
}: StreamEvents['end']): AnswerEnd {
  return { reasons: finish_reasons ?? [finish_reason], usage, timings, requestId: request_id }
}
