import * as z from 'zod'

/** The used part of vitest's JSON report. */
const reportSchema = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
})

interface TestCounts {
  readonly passed: number
  readonly failed: number
}

/**
 * Passed and failed tests of a vitest report. Any other failure (a check, a file that does not load, an error outside
 * the tests) counts as one failed test, so that a broken run never looks successful.
 * @param report JSON text; empty when vitest wrote none
 * @param succeeded whether every command succeeded
 */
export function countTests(report: string, succeeded: boolean): TestCounts {
  const { numPassedTests, numFailedTests } =
    report === ''
      ? { numPassedTests: 0, numFailedTests: 0 }
      : reportSchema.parse(JSON.parse(report))
  const nothingRan = numPassedTests + numFailedTests === 0
  const failed = numFailedTests === 0 && (!succeeded || nothingRan) ? 1 : numFailedTests
  return { passed: numPassedTests, failed }
}

/** The line that build servers read. */
export function summaryLine({ passed, failed }: TestCounts): string {
  return `${passed} passed, ${failed} failed`
}
