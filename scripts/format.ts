import { runTool } from './run-command.ts'

/** `npm run format`: writes every file in the one format. @returns the exit code */
export async function main(): Promise<number> {
  return (await runTool('prettier', '--write', '.')) ? 0 : 1
}
