/**
 * How a process reports its progress while it loads a model. Opening a session blocks the main thread for as long as it takes,
 * and with it all messages to the parent, so another thread writes lines to a pipe.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { ProgressAmount } from '../../../shared/progress/progress.ts'

/** File descriptor of the pipe in an inference process. */
export const loadingPipe = 4

export interface LoadingLine {
  /** For people. */
  readonly text: string
  readonly amount: ProgressAmount
}

export function writeLoadingLine(descriptor: number, line: LoadingLine): void {
  try {
    writeSync(descriptor, `${JSON.stringify(line)}\n`)
  } catch {
    // There is no reader left: a parent that is gone ends this process by other means.
  }
}

/** Calls `onLine` with every line that arrives, until the other end is closed. */
export function readLoadingLines(pipe: Readable, onLine: (line: LoadingLine) => void): void {
  const lines = createInterface({ input: pipe })
  lines.on('line', (text) => onLine(JSON.parse(text) as LoadingLine))
  // A broken pipe is a process that ended.
  pipe.on('error', () => lines.close())
}
