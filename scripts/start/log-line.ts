const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof levels)[number]

/** pino's numbers, where a program logs those. */
const levelNumbers: Readonly<Record<number, LogLevel>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
}

/** Told already by the line's beginning, or of no use without the log file. */
const omitted: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'message', 'stack'])

/** Characters of one line in the terminal; the log file has it all. */
const maxLineLength = 160

/** One line a program wrote. */
interface LogLine {
  /** What is not JSON comes from elsewhere, such as a crash, and counts as an error. */
  readonly level: LogLevel
  /** The line as a person reads it in a terminal: time, program, level, message, then the plain fields. */
  readonly text: string
}

export function readLogLine(program: string, line: string): LogLine {
  const entry = parseEntry(line)
  if (entry === undefined) return { level: 'error', text: shorten(`${program}: ${line}`) }
  const level = levelOf(entry['level'])
  const message = [entry['msg'], entry['message']].find((text) => typeof text === 'string') ?? ''
  const fields = Object.entries(entry)
    .filter(([name, value]) => !omitted.has(name) && isPlain(value))
    .map(([name, value]) => `${name}=${String(value)}`)
  const parts = [clock(entry['time']), program.padEnd(7), level, message, ...fields]
  return { level, text: shorten(parts.filter((part) => part !== '').join(' ')) }
}

/** True when a line of `level` is wanted at the setting `least`. */
export function isWanted(level: LogLevel, least: LogLevel): boolean {
  return levels.indexOf(level) >= levels.indexOf(least)
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function levelOf(value: unknown): LogLevel {
  if (typeof value === 'number') return levelNumbers[value] ?? 'error'
  return levels.find((level) => level === value) ?? 'error'
}

/** Hours, minutes and seconds in the machine's time zone, as terminals show them. */
function clock(time: unknown): string {
  if (typeof time !== 'number' && typeof time !== 'string') return ''
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? '' : date.toTimeString().slice(0, 8)
}

function isPlain(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

function shorten(text: string): string {
  return text.length > maxLineLength ? `${text.slice(0, maxLineLength - 1)}…` : text
}
