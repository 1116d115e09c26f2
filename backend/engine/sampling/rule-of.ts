import type { Constraints } from '../../grammar/constraints.ts'
import type { GenerateJob } from '../job.ts'
import { ThoughtFirst } from './thought-first.ts'
import { AnyText, type TokenRule } from './token-rule.ts'

/**
 * What opens the rule of each answer of a job: which tokens may be picked.
 * @param constraints undefined in an engine that does not know the texts of tokens
 * @returns undefined when any text is allowed
 * @throws {RangeError} when the job has a format or a thought and there are no constraints
 */
export function ruleOf(
  job: GenerateJob,
  constraints: Constraints | undefined,
): (() => TokenRule) | undefined {
  const { format, stopIds, thought: marks, thoughtTokens, controlIdsFrom } = job
  if (format === undefined && marks === undefined) return undefined
  if (constraints === undefined) throw new RangeError('A rule needs the texts of tokens')
  const open = () => (format === undefined ? new AnyText(job) : constraints.open(format, stopIds))
  if (marks === undefined) return open
  const { vocabulary } = constraints
  const parts = { marks, vocabulary, controlIdsFrom, thoughtTokens }
  return () => new ThoughtFirst({ ...parts, answer: open() })
}
