import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { detectImageType } from '../shared/fetch/detect-image-type.ts'
import type { ImageFile, LoadApi } from './load/load-api.ts'
import {
  defaultConcurrency,
  defaultUrl,
  loadCommand,
  maxConcurrency,
  parseLoadOptions,
  type LoadOptions,
} from './load/load-options.ts'
import { loadTable } from './load/load-report.ts'
import { measureLoad } from './load/measure-load.ts'
import { nativeApi } from './load/native-api.ts'
import { openAiApi } from './load/openai-api.ts'

/** The key `npm start` makes. */
const keyFile = '.local/api-key'

async function readImage(file: string): Promise<ImageFile> {
  const bytes = new Uint8Array(await readFile(file))
  const type = detectImageType(bytes)
  if (type === undefined) throw new Error(`${file} is no JPEG, PNG, GIF, WebP or AVIF file`)
  return { name: basename(file), type, bytes }
}

/** A key that was not meant for another server does not go there: the file is for the default URL only. */
async function findKey({ key, url }: LoadOptions): Promise<string | undefined> {
  const given = key ?? process.env['DESCRIBE_API_KEY']
  if (given !== undefined && given !== '') return given
  if (url.href !== new URL(defaultUrl).href) return undefined
  const text = await readFile(keyFile, 'utf8').catch(() => '')
  return text.trim() || undefined
}

async function createApi(options: LoadOptions): Promise<LoadApi> {
  const images = await Promise.all(options.image.map(readImage))
  const { api, prompt, maxTokens, temperature, model } = options
  const workload = { prompt, images, maxTokens, temperature }
  return api === 'openai' ? openAiApi(workload, model) : nativeApi(workload)
}

/** @returns a signal that Ctrl-C fires; npm passes on what the terminal has sent already, so it may come twice */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController()
  process.on('SIGINT', () => controller.abort())
  return controller.signal
}

async function measure(options: LoadOptions): Promise<number> {
  const { url, requests, rate, timeoutMs } = options
  const concurrency =
    options.concurrency ?? (rate === undefined ? defaultConcurrency : maxConcurrency)
  const target = { url, key: await findKey(options), api: await createApi(options), timeoutMs }
  const pace = rate === undefined ? '' : `, ${rate} per second`
  console.error(`${requests} requests${pace}, at most ${concurrency} at once, to ${url.href}`)
  const schedule = { requests, concurrency, ratePerSecond: rate }
  const statistics = await measureLoad(target, schedule, untilInterrupted())
  console.log(options.json ? JSON.stringify(statistics, undefined, 2) : loadTable(statistics))
  return statistics.ok === 0 ? 1 : 0
}

/** `npm run load`: measures what clients of a server feel. @returns the exit code: 1 when no request succeeded */
export async function main(given: readonly string[]): Promise<number> {
  const options = parseLoadOptions(loadCommand(), given)
  try {
    return await measure(options)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}
