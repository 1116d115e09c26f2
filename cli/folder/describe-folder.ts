import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { maxImageBytes } from '../../shared/api/limits.ts'
import { errorText } from '../../shared/log/error-text.ts'
import { fileErrorText } from '../../shared/node/files/file-error.ts'
import { Refusal, type Answer } from './ask-picture.ts'
import type { Picture } from './find-pictures.ts'
import { isOwnError } from './patience.ts'
import { sha256, type Asked } from './question.ts'
import type { Entry, FolderRecord } from './record.ts'

export interface FolderRun {
  readonly folder: string
  /** Those to describe, in this order. */
  readonly pictures: readonly Picture[]
  readonly asked: Asked
  readonly record: Pick<FolderRecord, 'append' | 'findContent'>
  /** Pictures asked about at a time. */
  readonly concurrency: number
  /** @throws {Refusal} */
  readonly ask: (picture: Buffer<ArrayBuffer>, signal: AbortSignal) => Promise<Answer>
  readonly now: () => number
}

/** What became of a picture in this run. */
export type Outcome =
  | { readonly entry: Entry }
  /** A file that could not be read leaves no line in the record. */
  | { readonly file: string; readonly problem: string }

/**
 * Describes pictures, several at a time, and records each as soon as it is known.
 * @returns outcomes as they come, in any order
 * @throws {Refusal} an error that concerns all pictures; the signal's reason; a system error of the record
 */
export async function* describeFolder(
  run: FolderRun,
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  const stopping = new AbortController()
  const all = AbortSignal.any([signal, stopping.signal])
  const waiting = run.pictures[Symbol.iterator]()
  const running = new Map<number, Promise<{ readonly lane: number; readonly outcome: Outcome }>>()
  const begin = (lane: number) => {
    const next = waiting.next()
    if (next.done) return void running.delete(lane)
    const outcome = describePicture(run, next.value, all)
    const ended = outcome.then((done) => ({ lane, outcome: done }))
    // It may fail while the caller is busy with another outcome; the next race reports that.
    ended.catch(() => undefined)
    running.set(lane, ended)
  }
  try {
    for (let lane = 0; lane < run.concurrency; lane += 1) begin(lane)
    while (running.size > 0) {
      const { lane, outcome } = await Promise.race(running.values())
      if (!signal.aborted) begin(lane)
      else running.delete(lane)
      yield outcome
    }
    signal.throwIfAborted()
  } finally {
    // What the server still does is in vain.
    stopping.abort()
    await Promise.allSettled(running.values())
  }
}

async function describePicture(
  run: FolderRun,
  picture: Picture,
  signal: AbortSignal,
): Promise<Outcome> {
  const { file, bytes, modifiedMs: modified_ms } = picture
  try {
    const known = await describeContent(run, picture, signal)
    const at = new Date(run.now()).toISOString()
    const entry: Entry = { file, bytes, modified_ms, asked: run.asked, at, ...known }
    run.record.append(entry)
    return { entry }
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    return { file, problem: error.message }
  }
}

/** The part of a record that depends on what is in the file. */
async function describeContent(run: FolderRun, picture: Picture, signal: AbortSignal) {
  if (picture.bytes > maxImageBytes) return { error: tooLarge(picture.bytes) }
  const content = await readPicture(run.folder, picture)
  const hash = sha256(content)
  const same = run.record.findContent(hash)
  if (same !== undefined) {
    const { output, reasoning, finish_reason, same_as = same.file } = same
    return { sha256: hash, output, ...(reasoning && { reasoning }), finish_reason, same_as }
  }
  try {
    return { sha256: hash, ...(await run.ask(content, signal)) }
  } catch (error) {
    if (!(error instanceof Refusal) || !isOwnError(error.code)) throw error
    const { code, message, requestId } = error
    return { sha256: hash, error: { code, message }, ...(requestId && { request_id: requestId }) }
  }
}

/** The server would say the same after the upload. */
function tooLarge(bytes: number) {
  const message = `The file has ${bytes} bytes, the limit is ${maxImageBytes}`
  return { code: 'image_too_large', message }
}

class UnreadableFile extends Error {}

async function readPicture(folder: string, { file, bytes }: Picture): Promise<Buffer<ArrayBuffer>> {
  const content = await readFile(join(folder, file)).catch((cause: unknown) => {
    const text = fileErrorText(cause) ?? `Cannot read ${file}: ${errorText(cause)}`
    throw new UnreadableFile(text, { cause })
  })
  if (content.length === bytes) return content
  throw new UnreadableFile(`${file} was changed after the search for pictures`)
}
