import type { Usage } from '../../../shared/api/events.ts'
import type { SoakCall } from './call.ts'
import type { Outcome } from './send-call.ts'

/** What the clients saw. */
export interface Tally {
  sent: number
  /** Answers to clients that stayed. */
  answered: number
  /** Answers that ended before their client was about to leave. */
  answeredEarly: number
  left: number
  /** Answers, or choices in them, without any text. */
  empty: number
  /** As reported in the answers to clients that stayed. */
  readonly usage: { -readonly [Name in keyof Usage]: number }
  /** Correctly refused requests, by code. */
  readonly refused: Map<string, number>
  /** Anything that should not have happened, and how often. */
  readonly unexpected: Map<string, number>
}

export function createTally(): Tally {
  return {
    sent: 0,
    answered: 0,
    answeredEarly: 0,
    left: 0,
    empty: 0,
    usage: { prompt_tokens: 0, image_tokens: 0, completion_tokens: 0 },
    refused: new Map(),
    unexpected: new Map(),
  }
}

/** Records one completed request. */
export function tallyUp(tally: Tally, call: SoakCall, outcome: Outcome): void {
  tally.sent += 1
  const unexpected = (what: string) => increment(tally.unexpected, `${call.path}: ${what}`)
  switch (outcome.type) {
    case 'left':
      tally.left += 1
      return
    case 'broken':
      return unexpected(outcome.why)
    case 'refused':
      if (outcome.code !== call.refusal) return unexpected(`refused with ${outcome.code}`)
      return increment(tally.refused, outcome.code)
    case 'answered':
      if (call.refusal !== undefined) return unexpected(`answered instead of ${call.refusal}`)
      tally.empty += outcome.texts.filter((text) => text === '').length
      if (outcome.texts.length === 0) tally.empty += 1
      if (call.role === 'leaves') tally.answeredEarly += 1
      else addAnswer(tally, outcome.usage)
  }
}

function addAnswer(tally: Tally, usage: Usage): void {
  tally.answered += 1
  tally.usage.prompt_tokens += usage.prompt_tokens
  tally.usage.image_tokens += usage.image_tokens
  tally.usage.completion_tokens += usage.completion_tokens
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
