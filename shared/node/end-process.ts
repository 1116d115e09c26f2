import { writeSync } from 'node:fs'
import type { LogSink } from './log-sink.ts'

/** Milliseconds the last lines may take to be written. */
const lastLinesMs = 1_000

/** Ends this process once its log is written. */
export async function exitAfter(log: LogSink, code: number): Promise<never> {
  const isWritten = await log.close(lastLinesMs)
  // The usual exit would wait for a write that hangs.
  if (!isWritten) process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}

/** Writes a text for the operator to standard error, if anybody is there to read it. */
export function sayError(text: string): void {
  try {
    writeSync(2, `${text}\n`)
  } catch {
    // Closed or full: there is no other place to say so.
  }
}
