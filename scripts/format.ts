import { runTool } from './support/run-command.ts'

/** `npm run format`: formats every file. @returns the exit code */
export async function main(): Promise<number> {
  return (await runTool('prettier', '--write', '.')) ? 0 : 1
}
