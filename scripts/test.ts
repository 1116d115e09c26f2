import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { main as check } from './check.ts'
import { run } from './support/run-command.ts'
import { countTests, summaryLine } from './test/test-counts.ts'

/**
 * `npm test [-- <arguments for vitest>]`: runs all checks and all tests; the last line of output is `N passed, N failed`.
 * With arguments only vitest runs, on what they select.
 * @returns the exit code
 */
export async function main(vitestArguments: readonly string[]): Promise<number> {
  const checked = vitestArguments.length > 0 || (await check([])) === 0
  const folder = await mkdtemp(join(tmpdir(), 'describe-tests-'))
  try {
    const reportFile = join(folder, 'report.json')
    const tested = await run(process.execPath, [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...vitestArguments,
    ])
    const counts = countTests(await readFile(reportFile, 'utf8').catch(() => ''), checked && tested)
    console.log(summaryLine(counts))
    return counts.failed === 0 && counts.passed > 0 ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
