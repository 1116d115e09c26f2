import type { LogLine } from '../../shared/log/log-line.ts'

/** Writes a line to a Worker's console, from where observability tools collect it. */
export function writeWorkerLine(line: LogLine): void {
  // oxlint-disable-next-line no-console -- where a Worker's log lines go
  console.log(JSON.stringify(line))
}
