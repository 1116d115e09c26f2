import { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { readDotEnv, withDotEnv } from '../shared/node/settings/dot-env.ts'
import { ConfigError } from '../shared/node/settings/environment.ts'
import { sayError } from '../shared/node/process/end-process.ts'
import { LogSink } from '../shared/node/log/log-sink.ts'
import { Launcher, type ReadyProduct } from './start/launcher.ts'
import { samplePicture } from './start/readiness.ts'
import { settingWarnings } from './start/settings.ts'
import { StartError } from './start/start-error.ts'

/** Milliseconds allowed for the last lines to reach the terminal. */
const lastLinesMs = 500

/**
 * `npm start`: runs backend and edge, proves that they answer, and stays until a signal arrives or the edge dies.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  parseArguments(given)
  const terminal = openTerminal()
  const print = (line: string) => terminal.write(`${line}\n`)
  for (const line of settingWarnings(readDotEnv('.env'), process.env)) sayError(line)
  const launcher = new Launcher({
    environment: withDotEnv(process.env, '.env'),
    print,
  })
  const signal = nextSignal()
  try {
    const product = await Promise.race([signal, launcher.failed, launcher.start()])
    if (typeof product !== 'string') {
      announce(product, print)
      await Promise.race([signal, launcher.failed])
    }
    return 0
  } catch (error) {
    if (!(error instanceof StartError || error instanceof ConfigError)) throw error
    sayError(error.message)
    return 1
  } finally {
    await launcher.stop()
    await terminal.close(lastLinesMs)
  }
}

/** Where lines are shown. The product keeps running when nobody reads them any more, as in `npm start | head`. */
function openTerminal(): LogSink {
  return new LogSink({ fd: 1, lossLine: (lost) => `(${lost} lines could not be shown)` })
}

/**
 * Resolves with the first signal to terminate, or when the process on another Node version that started this one is
 * gone. Later signals are ignored, because npm repeats the terminal's Ctrl-C.
 */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const names = ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']
    for (const name of names) process.on(name, () => resolve(name))
  })
}

/** There are no options. Any arguments are an error, so that none is silently ignored. */
function parseArguments(given: readonly string[]): void {
  new Command('npm start')
    .description('Runs backend and edge on this machine, until Ctrl-C')
    .version(packageJson.version)
    .addHelpText(
      'after',
      '\nSettings, such as PORT, stand in the environment or in .env: see .env.example.',
    )
    .configureOutput({
      outputError: (text, write) =>
        write(
          `${text}npm start takes its settings from the environment or .env: PORT=9000 npm start\n`,
        ),
    })
    .allowExcessArguments(false)
    .parse([...given], { from: 'user' })
}

function announce(
  { url, backendUrl, apiKeyFile, logsDir, isOpen }: ReadyProduct,
  print: (line: string) => void,
): void {
  const open = isOpen
    ? '\nIt is open to the network, without TLS: put a proxy with TLS in front'
    : ''
  print(`
The backend takes clients with a certificate at ${backendUrl}
Logs are in ${logsDir}; their times are UTC, those shown here are this machine's (${offsetOf(new Date())})${open}

ready ${url}
The API key is in ${apiKeyFile}. Try:
curl -H "X-API-Key: $(cat '${apiKeyFile}')" -F prompt='Describe this image.' -F images=@${samplePicture} ${url}/generate/image
`)
}

/** Such as `UTC+02:00`. */
function offsetOf(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return `UTC${minutes < 0 ? '-' : '+'}${two(hours)}:${two(rest)}`
}
