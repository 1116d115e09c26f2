import { runTool } from './support/run-command.ts'
import { takeNoArguments } from './support/take-no-arguments.ts'

/** Tools and their arguments. Those of one line follow each other; the two lines run side by side, a core each. */
const lines = [
  [
    ['tsc', '-p', 'tsconfig.json'],
    ['tsc', '-p', 'tsconfig.worker.json'],
    ['tsc', '-p', 'tsconfig.page.json'],
    ['oxlint', '--type-aware'],
  ],
  [['prettier', '--check', '.'], ['knip']],
] as const

/** `npm run check`: types and lint, format and unused code; a failure ends its line. @returns the exit code */
export async function main(given: readonly string[]): Promise<number> {
  takeNoArguments('npm run check', 'Checks types, lint, format and unused code', given)
  const outcomes = await Promise.all(lines.map(runInTurn))
  return outcomes.every(Boolean) ? 0 : 1
}

async function runInTurn(tools: (typeof lines)[number]): Promise<boolean> {
  for (const [name, ...toolArguments] of tools) {
    if (!(await runTool(name, ...toolArguments))) return false
  }
  return true
}
