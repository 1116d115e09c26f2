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
          panel.showState(waitingText(event.data.position))
          break
        case 'reasoning':
          panel.showState('Thinking')
          arrive(thoughts, event.data, panel.addThought)
          break
        case 'delta':
          panel.showState('Writing')
          arrive(texts, event.data, panel.addText)
          break
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

function waitingText(position: number): string {
  return position === 0 ? 'Reading' : `Waiting, ${position} ahead`
}

/** Adds a piece to the text with its index. */
function arrive(
  texts: string[],
  { index = 0, text }: { readonly index?: number; readonly text: string },
  show: (index: number, text: string) => void,
): void {
  texts[index] = (texts[index] ?? '') + text
  show(index, text)
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
