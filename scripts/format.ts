import { runTool } from './support/run-command.ts'
import { takeNoArguments } from './support/take-no-arguments.ts'

/** `npm run format`: formats every file. @returns the exit code */
export async function main(given: readonly string[]): Promise<number> {
  takeNoArguments('npm run format', 'Formats every file', given)
  return (await runTool('prettier', '--write', '.')) ? 0 : 1
}
