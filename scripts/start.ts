import { fileURLToPath } from 'node:url'
import { readDotEnv, withDotEnv, type Environment } from '../shared/node/dot-env.ts'
import { ConfigError } from '../shared/node/environment.ts'
import { sayError } from '../shared/node/end-process.ts'
import { LogSink } from '../shared/node/log-sink.ts'
import { Launcher, type ReadyProduct } from './start/launcher.ts'
import { samplePicture } from './start/readiness.ts'
import { settingWarnings } from './start/settings.ts'
import { StartError } from './start/start-error.ts'

interface StartOptions {
  readonly environment: Environment
  /** Bundles the Worker where needed. @returns path of the bundle */
  readonly buildWorker: () => Promise<string>
}

/** Milliseconds the last lines may take to reach the terminal. */
const lastLinesMs = 500

const bundled = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/**
 * `npm start`: runs backend and edge, proves that they answer, and stays until a signal or the death of the edge.
 * @returns the exit code
 */
export async function main({ environment, buildWorker }: StartOptions): Promise<number> {
  const terminal = openTerminal()
  const print = (line: string) => terminal.write(`${line}\n`)
  for (const line of settingWarnings(readDotEnv('.env'), environment)) sayError(line)
  const launcher = new Launcher({
    environment: withDotEnv(environment, '.env'),
    scripts: {
      backend: bundled('../backend/main.js'),
      nodeEdge: bundled('../edge/node.js'),
      workerEdge: bundled('./worker-edge.js'),
    },
    buildWorker,
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

/** Where lines are shown. The product goes on when nobody reads them any more, as in `npm start | head`. */
function openTerminal(): LogSink {
  return new LogSink({ fd: 1, lossLine: (lost) => `(${lost} lines could not be shown)` })
}

/** Resolves with the first signal to end. Later ones are ignored: npm repeats the terminal's Ctrl-C. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => resolve(name))
  })
}

function announce(
  { url, backendUrl, apiKeyFile }: ReadyProduct,
  print: (line: string) => void,
): void {
  print(`The backend takes clients with a certificate at ${backendUrl}
ready ${url}
The API key is in ${apiKeyFile}. Try:
curl -H "X-API-Key: $(cat '${apiKeyFile}')" -F prompt='Describe this image.' -F images=@${samplePicture} ${url}/generate/image`)
}
