import type { AnswerPart } from '../wire/answer-reader.ts'
import { failureOf } from './client-errors.ts'
import type { Ticket } from './dispatcher.ts'
import { askEngine, type EngineRequest } from '../wire/engine-client.ts'
import type { EngineEntry } from '../health/engine-entry.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import type { TimeLimits } from '../engine/time-limits.ts'

/** Engines that one request is offered to. More would only delay the answer that none is available. */
const maxAttempts = 3

/** Engines that may fail on one request: the request itself may be the cause. */
const maxFaults = 2

export interface Asking {
  readonly ticket: Ticket
  readonly requestFor: (facts: EngineFacts) => EngineRequest
  readonly limits: TimeLimits
  /** For the operator. Whether the engine may be used has possibly changed. */
  readonly onProblem: (engine: EngineEntry, problem: EngineProblem) => void
}

/**
 * The answer of the first engine that begins one. Another engine is tried only before that: if there was no connection,
 * it took no more requests, or it failed without sending anything. The previous one has been abandoned by then, so
 * nothing runs twice.
 * @throws {ServiceError}
 */
export async function* askWithRetries(
  { ticket, requestFor, limits, onProblem }: Asking,
  signal: AbortSignal,
): AsyncGenerator<AnswerPart> {
  const problems: EngineProblem[] = []
  for (;;) {
    const assigned = await ticket.next()
    if (assigned === undefined) throw failureOf(problems)
    const { engine, facts } = assigned
    try {
      yield* askEngine(engine.target, requestFor(facts), limits, signal)
      return engine.noteSuccess()
    } catch (thrown) {
      if (!(thrown instanceof EngineProblem)) throw thrown
      engine.noteProblem(thrown)
      onProblem(engine, thrown)
      problems.push(thrown)
      if (!mayGoOn(problems)) throw failureOf(problems)
    }
  }
}

function mayGoOn(problems: readonly EngineProblem[]): boolean {
  const last = problems.at(-1)
  if (last?.kind === 'broken' || last?.kind === 'refused') return false
  const faults = problems.filter(({ kind }) => kind === 'fault').length
  return problems.length < maxAttempts && faults < maxFaults
}
