import { missingText } from './keep-results.ts'
import type { PartResult } from './part.ts'

/** Exit codes of the check. */
export const exitCodes = {
  right: 0,
  /** Answers differ from the reference's, or a part that compares them failed. */
  wrong: 1,
  noCard: 2,
  /** Right as far as there was time, but not all answers were compared. */
  notReached: 3,
} as const

interface Verdict {
  readonly exitCode: (typeof exitCodes)[keyof typeof exitCodes]
  /** For people, in a few lines: the verdict, what was done, what failed, what there was no time for. */
  readonly text: string
}

/** @param comparing names of the parts that compare answers with the reference's */
export function verdictOf(results: readonly PartResult[], comparing: ReadonlySet<string>): Verdict {
  const compare = results.filter(({ name }) => comparing.has(name))
  const isWrong = compare.some(({ missing }) => missing.problem !== undefined)
  const isWhole = compare.every(({ missing }) => missing.leftOut.length === 0)
  const some = compare.some(({ rows }) => rows.length > 0)
  const [kind, sentence] = ((): [keyof typeof exitCodes, string] => {
    if (isWrong) return ['wrong', 'THE ANSWERS ARE NOT RIGHT, or could not be compared.']
    if (compare.length === 0) return ['right', 'No part that compares answers was asked for.']
    if (isWhole) return ['right', 'The answers are right.']
    if (some)
      return ['notReached', 'The answers are right, as far as there was time to compare them.']
    return ['notReached', 'NO ANSWERS WERE COMPARED: there was no time for any.']
  })()
  return { exitCode: exitCodes[kind], text: [sentence, ...summary(results)].join('\n') }
}

function summary(results: readonly PartResult[]): string[] {
  const isDone = ({ missing }: PartResult) => missingText(missing) === undefined
  const named = (some: readonly PartResult[]) => some.map(({ name }) => name).join(', ')
  const done = results.filter(isDone)
  const failed = results.filter(({ missing }) => missing.problem !== undefined)
  const late = results.filter(
    ({ missing }) => missing.problem === undefined && missing.leftOut.length > 0,
  )
  return [
    ...(done.length > 0 ? [`Done: ${named(done)}.`] : []),
    ...(failed.length > 0 ? [`Failed: ${named(failed)}.`] : []),
    ...(late.length > 0 ? [`Not or not wholly done for lack of time: ${named(late)}.`] : []),
  ]
}
