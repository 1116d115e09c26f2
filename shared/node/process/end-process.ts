import { writeSync } from 'node:fs'
import type { LogSink } from '../log/log-sink.ts'

/** Milliseconds allowed for writing the last lines. */
const lastLinesMs = 1_000

/** Ends this process once its log is written. */
export async function exitAfter(log: LogSink, code: number): Promise<never> {
  const isWritten = await log.close(lastLinesMs)
  // A normal exit would wait for a write that hangs.
  if (!isWritten) process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}

/** Writes a message for the operator to standard error, if it is still open. */
export function sayError(text: string): void {
  try {
    writeSync(2, `${text}\n`)
  } catch {
    // It is closed or full, and there is nowhere else to report that.
  }
}
