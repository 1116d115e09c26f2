import type { WholeChoice } from './renderer.ts'

/** A part of an answer: what the model thought, or what it answered. */
interface SaidPart {
  readonly kind: 'thought' | 'answer'
  readonly text: string
}

/** The parts in order. There is an answer, even an empty one, unless the model got no further than its thought. */
export function saidParts({
  reasoning,
  text,
}: Pick<WholeChoice, 'reasoning' | 'text'>): readonly SaidPart[] {
  const answer: SaidPart = { kind: 'answer', text }
  if (reasoning === '') return [answer]
  const thought: SaidPart = { kind: 'thought', text: reasoning }
  return text === '' ? [thought] : [thought, answer]
}
