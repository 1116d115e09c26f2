import { logLevels, type LogLevel } from '../../../shared/log/log-levels.ts'
import { proofIdPrefix } from '../readiness.ts'
import { edgeName } from '../settings.ts'

/** pino's numbers, for programs that log those. */
const levelNumbers: Readonly<Record<number, LogLevel>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
}

/** Fields the terminal shows next to the message; the log file has the rest. */
const shownFields = [
  'method',
  'route',
  'status',
  'code',
  'change',
  'changed_key_id',
  'fields',
  'key_id',
  'by_key_id',
  'address',
  'ms',
  'request_id',
  'host',
  'port',
  'cause',
  'detail',
]

/** Characters of one log line in the terminal: room for the longest request line with its id, and for what a model needs. */
const maxLineLength = 400

/**
 * Characters of any other line: long enough for the reason why a program ends, but not for everything a crash prints.
 */
const maxPlainLength = 4_000

/** One line written by a program. */
interface LogLine {
  readonly level: LogLevel
  /** For the log file: as written, but always with a time. */
  readonly whole: string
  /** The level from which the terminal shows it: a request is one line there, although two programs log it. */
  readonly shownFrom: LogLevel
  /** For a person: time, program, level, message and some fields. */
  readonly brief: string
}

/**
 * Parses a line written by a program. A line that is not JSON has another origin, such as a crash, and counts as an
 * error.
 * @param now for lines without a time of their own
 */
export function readLogLine(program: string, line: string, now: Date): LogLine {
  const entry = parseEntry(line)
  if (entry === undefined) {
    const brief = shorten(`${program}: ${line}`, maxPlainLength)
    return {
      level: 'error',
      shownFrom: isStackOfWorkerd(line) ? 'debug' : 'error',
      whole: line,
      brief,
    }
  }
  const time = entry['time'] === undefined ? now : new Date(entry['time'] as number | string)
  const whole =
    entry['time'] === undefined ? JSON.stringify({ time: now.toISOString(), ...entry }) : line
  const brief = shorten(briefly(program, time, entry), maxLineLength)
  const level = levelOf(entry['level'])
  return { level, shownFrom: isSaidElsewhere(program, entry) ? 'debug' : level, whole, brief }
}

/** True when a line of `level` is shown at the setting `least`. */
export function isWanted(level: LogLevel, least: LogLevel): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(least)
}

/**
 * The requests by which `npm start` proves that everything works, and backend lines about requests the edge logs too.
 */
function isSaidElsewhere(program: string, entry: Record<string, unknown>): boolean {
  const { request_id: id, client_name: client } = entry
  if (messageOf(entry) !== 'request') return false
  const isProof = typeof id === 'string' && id.startsWith(proofIdPrefix)
  return isProof || (program === 'backend' && client === edgeName)
}

/** A line of bare addresses, which follows the one that says what went wrong. */
function isStackOfWorkerd(line: string): boolean {
  return /^stack: \/.*\/workerd@/.test(line)
}

function messageOf(entry: Record<string, unknown>): string {
  const texts = [entry['msg'], entry['message']]
  return texts.find((text): text is string => typeof text === 'string') ?? ''
}

function briefly(program: string, time: Date, entry: Record<string, unknown>): string {
  const fields = shownFields
    .filter((name) => ['string', 'number'].includes(typeof entry[name]))
    .map((name) => `${name}=${String(entry[name])}`)
  // Hours, minutes and seconds in the machine's time zone, as is usual in terminals.
  const clock = time.toTimeString().slice(0, 8)
  return [
    clock,
    program.padEnd(7),
    levelOf(entry['level']).padEnd(5),
    messageOf(entry),
    ...fields,
  ].join(' ')
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
  return logLevels.find((level) => level === value) ?? 'error'
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
