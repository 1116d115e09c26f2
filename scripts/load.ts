import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { withDotEnv } from '../shared/node/settings/dot-env.ts'
import { readRunningAddress } from '../shared/node/running-address.ts'
import { detectImageType } from '../shared/fetch/detect-image-type.ts'
import type { ImageFile, LoadApi } from './load/load-api.ts'
import {
  defaultConcurrency,
  loadCommand,
  maxConcurrency,
  parseLoadOptions,
  type LoadOptions,
} from './load/load-options.ts'
import { loadTable } from './load/load-report.ts'
import { measureLoad } from './load/measure-load.ts'
import { nativeApi } from './load/native-api.ts'
import { openAiApi } from './load/openai-api.ts'

const environment = withDotEnv(process.env, '.env')
const stateDir = environment['STATE_DIR'] || '.local'

/** Where `npm start` runs on this machine, or would run. */
function localUrl(): URL {
  const running = readRunningAddress(stateDir)?.url
  return new URL(running ?? `http://127.0.0.1:${environment['PORT'] || '8787'}`)
}

async function readImage(file: string): Promise<ImageFile> {
  const bytes = new Uint8Array(await readFile(file))
  const type = detectImageType(bytes)
  if (type === undefined) throw new Error(`${file} is not a JPEG, PNG, GIF, WebP or AVIF file`)
  return { name: basename(file), type, bytes }
}

/** The file holds the local server's key, so it is used for no other server. */
async function findKey({ key }: LoadOptions, url: URL): Promise<string | undefined> {
  const given = key ?? environment['DESCRIBE_API_KEY']
  if (given !== undefined && given !== '') return given
  if (url.origin !== localUrl().origin) return undefined
  const text = await readFile(join(stateDir, 'api-key'), 'utf8').catch(() => '')
  return text.trim() || undefined
}

async function createApi(options: LoadOptions): Promise<LoadApi> {
  const images = await Promise.all(options.image.map(readImage))
  const { api, prompt, maxTokens, temperature, model } = options
  const workload = { prompt, images, maxTokens, temperature }
  return api === 'openai' ? openAiApi(workload, model) : nativeApi(workload)
}

/** @returns a signal that Ctrl-C fires; npm repeats what the terminal has already sent, so it may come twice */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController()
  process.on('SIGINT', () => controller.abort())
  return controller.signal
}

async function measure(options: LoadOptions): Promise<number> {
  const { url = localUrl(), requests, rate, timeoutMs } = options
  const concurrency =
    options.concurrency ?? (rate === undefined ? defaultConcurrency : maxConcurrency)
  const target = { url, key: await findKey(options, url), api: await createApi(options), timeoutMs }
  const pace = rate === undefined ? '' : `, ${rate} per second`
  console.error(`${requests} requests${pace}, at most ${concurrency} at once, to ${url.href}`)
  const schedule = { requests, concurrency, ratePerSecond: rate }
  const statistics = await measureLoad(target, schedule, untilInterrupted())
  console.log(options.json ? JSON.stringify(statistics, undefined, 2) : loadTable(statistics))
  return statistics.ok === 0 ? 1 : 0
}

/**
 * `npm run load`: measures the latency and throughput that clients of a server see. @returns the exit code: 1 when no
 * request succeeded
 */
export async function main(given: readonly string[]): Promise<number> {
  const options = parseLoadOptions(loadCommand(), given)
  try {
    return await measure(options)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}
