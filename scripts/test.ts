import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countTests, summaryLine } from './test/test-counts.ts'

interface TestOptions {
  /** With arguments only vitest runs, on what they select. */
  readonly vitestArguments: readonly string[]
}

/**
 * `npm test`: runs all checks and all tests; the last line of output is `N passed, N failed`.
 * @returns the exit code
 */
export async function main({ vitestArguments }: TestOptions): Promise<number> {
  const checked = vitestArguments.length > 0 || (await run('npm', ['run', '--silent', 'check']))
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

/** @returns true when the command succeeded */
function run(command: string, commandArguments: readonly string[]): Promise<boolean> {
  const child = spawn(command, commandArguments, { stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code === 0))
  })
}
