import { type Command, CommanderError } from 'commander'
import { fileErrorText } from '../../shared/node/files/file-error.ts'
import { endWithOutput } from '../../shared/node/process/end-with-output.ts'

/** Aborted when this program is asked to end. */
export function endingSignal(): AbortSignal {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort())
  return ending.signal
}

/**
 * Runs the command that the program's arguments name, and sets the exit code.
 * @param known errors for the operator, shown without a stack trace
 */
export async function runCommands(
  program: Command,
  signal: AbortSignal,
  known: readonly (new (...given: never[]) => Error)[],
): Promise<void> {
  endWithOutput()
  try {
    await program.parseAsync()
  } catch (error) {
    if (signal.aborted) process.exitCode = 130
    else if (error instanceof CommanderError) process.exitCode = error.exitCode
    else {
      const isKnown = known.some((kind) => error instanceof kind)
      const text = isKnown ? (error as Error).message : fileErrorText(error)
      if (text === undefined) throw error
      process.stderr.write(`${text}\n`)
      process.exitCode = 1
    }
  }
}
