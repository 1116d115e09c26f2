/** pino's numbers for levels, and its names for those the terminal shows. */
const levelNames = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
])

/** Told already by the line's beginning, or the same in every line. */
const omitted = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'message', 'stack'])

/** Characters of one line in the terminal; the log file has it all. */
const maxLineLength = 160

/**
 * A JSON log line as a person reads it in a terminal: time, program, level, message, then the plain fields.
 * What is not JSON stays as it is.
 */
export function humanLogLine(program: string, line: string): string {
  const entry = parseEntry(line)
  if (entry === undefined) return `${program}: ${line}`.slice(0, maxLineLength)
  const { level, time } = entry
  const shownLevel = typeof level === 'number' ? (levelNames.get(level) ?? String(level)) : level
  const message = entry['msg'] ?? entry['message'] ?? ''
  const fields = Object.entries(entry)
    .filter(([name, value]) => !omitted.has(name) && isPlain(value))
    .map(([name, value]) => `${name}=${String(value)}`)
  return [clock(time), program.padEnd(7), shownLevel, message, ...fields]
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
    .slice(0, maxLineLength)
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** Hours, minutes and seconds, in the machine's time zone as terminals show them. */
function clock(time: unknown): string | undefined {
  if (typeof time !== 'number' && typeof time !== 'string') return undefined
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? undefined : date.toTimeString().slice(0, 8)
}

function isPlain(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}
