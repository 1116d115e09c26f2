import { constants } from 'node:os'
import { sayError } from './end-process.ts'

/** What a shell reports for a program that wrote into a pipe nobody reads. */
const brokenPipe = 128 + constants.signals.SIGPIPE

/**
 * Ends this command when standard output takes nothing more, instead of with a stack trace: quietly where nobody reads
 * on, as in `describe model list | head -1`, else with the reason. Not for servers, which outlive their output.
 */
export function endWithOutput(): void {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') process.exit(brokenPipe)
    sayError(`Cannot write the output: ${message}`)
    process.exit(1)
  })
}
