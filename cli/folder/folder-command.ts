import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { routes } from '../../shared/api/routes.ts'
import { CliError } from '../cli-error.ts'
import type { CliParts } from '../cli-parts.ts'
import { parseCount, parseLimit } from '../duration.ts'
import { serverKey, serverUrl } from '../server-access.ts'
import { printable } from '../table.ts'
import { askPicture, Refusal, type Server } from './ask-picture.ts'
import { describeFolder, type FolderRun } from './describe-folder.ts'
import { findPictures, type Picture } from './find-pictures.ts'
import { withPatience } from './patience.ts'
import { Progress } from './progress.ts'
import { askedOf, type Question } from './question.ts'
import { FolderRecord } from './record.ts'

interface FolderOptions {
  readonly prompt: string
  readonly systemPrompt?: string
  readonly maxTokens?: number
  readonly temperature?: number
  readonly seed?: number
  readonly schema?: string
  readonly record?: string
  readonly concurrency: number
  readonly limit?: number
  readonly retryFailed?: true
  readonly dryRun?: true
  readonly quiet?: true
}

/** Enough to keep the default number of slots of a server busy; other work of the key still finds room. */
const defaultConcurrency = 4
const defaultPrompt = 'Describe this image.'
const recordName = 'descriptions.jsonl'

/** `describe folder`: describes all pictures of a folder that have no description yet. */
export function folderCommand(parts: CliParts): Command {
  return new Command('folder')
    .description('describe all pictures in a folder; run again, it goes on where it was')
    .argument('<folder>', 'searched with its subfolders')
    .option('--prompt <text>', 'what is asked about each picture', defaultPrompt)
    .option('--system-prompt <text>', 'instructions for all answers')
    .option('--max-tokens <count>', 'maximum tokens of a description', parseLimit)
    .option('--temperature <number>', '0 for the most likely answer, up to 2', parseTemperature)
    .option('--seed <number>', 'makes answers repeatable', parseCount)
    .option('--schema <file>', 'JSON schema that answers must match')
    .option('--record <file>', `JSON lines with the descriptions; default: FOLDER/${recordName}`)
    .option(
      '--concurrency <count>',
      'pictures asked about at a time',
      parseLimit,
      defaultConcurrency,
    )
    .option('--limit <count>', 'describe at most this many now', parseLimit)
    .option('--retry-failed', 'ask again about pictures that were refused')
    .option('--dry-run', 'only list the pictures without a description')
    .option('--quiet', 'print no descriptions')
    .action(async (folder: string, options: FolderOptions) => {
      process.exitCode = await run(parts, folder, options)
    })
}

function parseTemperature(text: string): number {
  if (/^\d(\.\d{1,6})?$/.test(text) && Number(text) <= 2) return Number(text)
  throw new InvalidArgumentError('expected a number from 0 to 2')
}

/** @returns the exit status: 0 if every picture has a description now */
async function run(parts: CliParts, folder: string, options: FolderOptions): Promise<number> {
  const question = await readQuestion(options)
  const asked = askedOf(question)
  const { pictures, problems } = await findPictures(folder)
  for (const problem of problems) parts.note(printable(problem))
  const record = await FolderRecord.open(resolve(options.record ?? join(folder, recordName)), asked)
  try {
    const { missing, failed } = sortOut(pictures, record, options)
    const chosen = missing.slice(0, options.limit)
    parts.note(
      `${pictures.length} pictures, ${missing.length} to describe` +
        (failed === 0 ? '' : `, ${failed} were refused before (--retry-failed asks again)`),
    )
    if (options.dryRun) {
      for (const { file } of chosen) parts.print(printable(file))
      return 0
    }
    if (chosen.length === 0) return problems.length + failed === 0 ? 0 : 1
    const given = { folder, pictures: chosen, asked, record, concurrency: options.concurrency }
    const isComplete = await describeAll(parts, question, given, options.quiet === true)
    return isComplete && problems.length + failed === 0 ? 0 : 1
  } finally {
    record.close()
  }
}

async function readQuestion(options: FolderOptions): Promise<Question> {
  const { prompt, systemPrompt, maxTokens, temperature, seed, schema: file } = options
  const schema = file === undefined ? undefined : await readFile(file, 'utf8')
  if (schema !== undefined && !isJson(schema)) throw new CliError(`${file} is not JSON`)
  return {
    prompt,
    ...(systemPrompt !== undefined && { system_prompt: systemPrompt }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
    ...(schema !== undefined && { schema }),
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Pictures without a description, and how many are left out because they were refused before. */
function sortOut(pictures: readonly Picture[], record: FolderRecord, options: FolderOptions) {
  const missing: Picture[] = []
  let failed = 0
  for (const picture of pictures) {
    const known = record.find(picture)
    if (known === undefined) missing.push(picture)
    else if ('error' in known && options.retryFailed) missing.push(picture)
    else if ('error' in known) failed += 1
  }
  return { missing, failed }
}

/** Later a server that cannot be reached is waited for; at the start it is more likely a mistake. */
async function checkReachable({ fetch: send, url }: Server): Promise<void> {
  await send(new URL(routes.health.path, url), { redirect: 'error' }).catch((cause: unknown) => {
    const hint = 'is it running, and is DESCRIBE_URL right?'
    throw new CliError(`Cannot reach ${url.origin}: ${hint}`, { cause })
  })
}

/** @returns whether all were described */
async function describeAll(
  parts: CliParts,
  question: Question,
  given: Omit<FolderRun, 'ask' | 'now'>,
  isQuiet: boolean,
): Promise<boolean> {
  const { now, note, print } = parts
  const server = { fetch: parts.fetch, url: serverUrl(parts), key: await serverKey(parts) }
  await checkReachable(server)
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const progress = new Progress(given.pictures.length, now)
  const ask: FolderRun['ask'] = (picture, signal) =>
    withPatience(() => askPicture(server, question, picture, signal), {
      now,
      wait: (ms) => delay(ms, undefined, { signal }),
      onWait: (refusal, ms) => progress.waits(refusal, ms, note),
    })
  try {
    for await (const outcome of describeFolder({ ...given, ask, now }, stopping.signal)) {
      const line = progress.count(outcome)
      if (!isQuiet || !('entry' in outcome) || 'error' in outcome.entry) print(line)
      progress.report(note)
    }
    note(progress.summary())
    return progress.isComplete
  } catch (error) {
    note(progress.summary())
    if (stopping.signal.aborted) throw new CliError('Stopped. The same command goes on from here.')
    if (!(error instanceof Refusal)) throw error
    throw new CliError(`${error.message} (${error.code}). The same command goes on from here.`)
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
