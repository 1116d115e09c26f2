import type { LogLine } from '../../shared/log/log-line.ts'

/** Writes a line where a Worker's lines go: to its console, and from there to what observes it. */
export function writeWorkerLine(line: LogLine): void {
  // oxlint-disable-next-line no-console -- where a Worker's log lines go
  console.log(JSON.stringify(line))
}
