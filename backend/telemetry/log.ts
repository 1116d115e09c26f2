import { pino, stdTimeFunctions, type Logger } from 'pino'

export type Log = Logger

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
type LogLevel = (typeof logLevels)[number]

/**
 * One JSON object a line on stdout: `time` (ISO 8601), `level` (a word), `msg`, and what the caller adds. Callers
 * never add prompts, keys, image data, URLs or names of a client's files.
 */
export function createLog(level: LogLevel): Log {
  return pino({
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
}
