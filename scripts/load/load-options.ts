import { Command, InvalidArgumentError, Option } from 'commander'

export interface LoadOptions {
  readonly api: 'native' | 'openai'
  /** Absent: wherever `npm start` runs on this machine. */
  readonly url?: URL
  readonly key?: string
  readonly model: string
  readonly requests: number
  /** Absent: `defaultConcurrency`, or with a rate `maxConcurrency`. */
  readonly concurrency?: number
  readonly rate?: number
  readonly prompt: string
  /** Paths of image files. */
  readonly image: readonly string[]
  readonly maxTokens: number
  readonly temperature: number
  readonly timeoutMs: number
  readonly json: boolean
}

export const defaultConcurrency = 8

/** Sockets: half of the 2,048 files a process may commonly open. */
export const maxConcurrency = 1_024

/** The number comes first, so that no server can reuse its cache of the previous prompt. */
const defaultPrompt = 'Request {n}: what do you see?'

const maxRequests = 100_000

/** As much as any context holds. */
const maxTokensOfAnswer = 131_072

/** Tokens of all answers: each keeps a timestamp of 8 bytes in memory until the end. */
const maxTokensOfRun = 20_000_000

/**
 * Per second. The lower bound keeps waits within what timers can represent; no single process sends more than the
 * upper one.
 */
const [minRate, maxRate] = [0.01, 10_000]

/** Milliseconds: an hour. */
const maxTimeoutMs = 3_600_000

/** The command `npm run load`, not yet parsed. */
export function loadCommand(): Command {
  return new Command('npm run load --')
    .description('Sends requests to a server and measures what its clients experience')
    .addOption(
      new Option('--api <api>', 'API of the server')
        .choices(['native', 'openai'])
        .default('native'),
    )
    .option('--url <url>', 'URL of the server; default: where npm start runs here', parseUrl)
    .option(
      '--key <key>',
      'API key; default: DESCRIBE_API_KEY, or for the server of npm start the one in STATE_DIR/api-key',
    )
    .option('--model <name>', 'for --api openai', 'default')
    .option('--requests <n>', 'requests in all', whole(1, maxRequests), 64)
    .option(
      '--concurrency <n>',
      `streams at once (default: ${defaultConcurrency}, with a rate ${maxConcurrency})`,
      whole(1, maxConcurrency),
    )
    .option('--rate <n>', 'requests per second, regardless of how long answers take', parseRate)
    .option('--prompt <text>', '{n} becomes the number of the request', defaultPrompt)
    .addOption(
      new Option('--image <file>', 'sent with each request; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--max-tokens <n>', 'tokens of an answer', whole(1, maxTokensOfAnswer), 64)
    .option('--temperature <t>', '0: the most probable token', parseTemperature, 0)
    .option('--timeout-ms <ms>', 'deadline of each request', whole(1, maxTimeoutMs), 120_000)
    .option('--json', 'print JSON', false)
}

/** @throws {CommanderError} through the command, when options contradict each other */
export function parseLoadOptions(command: Command, given: readonly string[]): LoadOptions {
  const options = command.parse([...given], { from: 'user' }).opts<LoadOptions>()
  if (options.requests * options.maxTokens > maxTokensOfRun) {
    command.error(`error: requests times max-tokens may be ${maxTokensOfRun} at most`)
  }
  return options
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('expected an http or https URL')
  }
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return url
  throw new InvalidArgumentError('expected a URL without credentials, query and fragment')
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`)
  }
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (rate >= minRate && rate <= maxRate) return rate
  throw new InvalidArgumentError(`expected a number from ${minRate} to ${maxRate}`)
}

function parseTemperature(text: string): number {
  const temperature = Number(text)
  if (text.trim() !== '' && temperature >= 0 && temperature <= 2) return temperature
  throw new InvalidArgumentError('expected a number from 0 to 2')
}

function collect(file: string, files: readonly string[]): readonly string[] {
  return [...files, file]
}
