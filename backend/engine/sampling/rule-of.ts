import type { Constraints } from '../../grammar/constraints.ts'
import type { GenerateJob } from '../job.ts'
import { ThoughtFirst } from './thought-first.ts'
import type { TokenRule } from './token-rule.ts'

/**
 * What opens the rule of each answer of a job: which tokens may be picked.
 * @param constraints undefined in an engine that does not know the texts of tokens
 * @returns undefined when any text is allowed
 * @throws {RangeError} when the job has a format and there are no constraints
 */
export function ruleOf(
  { format, stopIds, thought, controlIdsFrom }: GenerateJob,
  constraints: Constraints | undefined,
): (() => TokenRule) | undefined {
  if (format === undefined) return undefined
  if (constraints === undefined) throw new RangeError('A format needs the texts of tokens')
  const open = () => constraints.open(format, stopIds)
  if (thought === undefined) return open
  const { vocabulary } = constraints
  return () => new ThoughtFirst({ marks: thought, vocabulary, answer: open(), controlIdsFrom })
}
