import { pino, stdTimeFunctions, type Logger } from 'pino'
import type { LogLevel } from '../../log/log-levels.ts'
import type { LogLine } from '../../log/log-line.ts'
import { LogSink } from './log-sink.ts'

export type Log = Logger

/** Standard output as a log of JSON lines, the last of which are written however the program ends. */
export function openStandardOutput(): LogSink {
  const sink = new LogSink({ fd: 1, lossLine: jsonLossLine })
  process.on('exit', () => sink.flushNow())
  return sink
}

/** The log line that reports lost lines. */
export function jsonLossLine(lost: number): string {
  const time = new Date().toISOString()
  return JSON.stringify({ level: 'warn', time, lost, msg: 'log lines could not be written' })
}

/**
 * The log of a program: one JSON object per line, with `time` (ISO 8601), `level` (a word), `msg` and the caller's
 * fields. Callers never add prompts, keys, image data, URLs or names of clients' files.
 */
export function createLog(level: LogLevel, sink: Pick<LogSink, 'write'>): Log {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(options, sink)
}

/** Writes the lines of code that knows no logger. */
export function lineWriter(log: Log): (line: LogLine) => void {
  return ({ level, message, ...fields }) => log[level](fields, message)
}
