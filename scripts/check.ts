import { runTool } from './support/run-command.ts'

/** `npm run check`: types, lint, format and unused code; stops at the first failure. @returns the exit code */
export async function main(): Promise<number> {
  const isFine =
    (await runTool('tsc', '-p', 'tsconfig.json')) &&
    (await runTool('tsc', '-p', 'tsconfig.worker.json')) &&
    (await runTool('tsc', '-p', 'tsconfig.page.json')) &&
    (await runTool('oxlint', '--type-aware')) &&
    (await runTool('prettier', '--check', '.')) &&
    (await runTool('knip'))
  return isFine ? 0 : 1
}
