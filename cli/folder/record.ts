import { appendFileSync, createReadStream, existsSync, truncateSync } from 'node:fs'
import * as z from 'zod'
import { tryLock, type FileLock } from '../../shared/node/files/file-lock.ts'
import { CliError } from '../cli-error.ts'
import type { Picture } from './find-pictures.ts'
import { isSameQuestion, type Asked } from './question.ts'

const common = z.object({
  file: z.string(),
  bytes: z.number(),
  modified_ms: z.number(),
  sha256: z.string(),
  asked: z.record(z.string(), z.union([z.string(), z.number()])),
  at: z.iso.datetime(),
  request_id: z.string().optional(),
})
const described = common.extend({
  output: z.string(),
  reasoning: z.string().optional(),
  finish_reason: z.string(),
  usage: z.record(z.string(), z.number()).optional(),
  /** The file of the same content whose description this is. */
  same_as: z.string().optional(),
})
const failed = common.partial({ sha256: true }).extend({
  error: z.object({ code: z.string(), message: z.string() }),
})
const entry = z.union([described, failed])

/** What became of one picture: a line of the record. */
export type Entry = z.infer<typeof entry>
export type Described = z.infer<typeof described>

/**
 * The descriptions of a folder's pictures: a file of JSON lines that only grows, so that whatever was written before
 * an interruption is kept. Of several lines about one file and question, the last one counts.
 */
export class FolderRecord {
  readonly #file: string
  readonly #lock: FileLock
  readonly #byFile = new Map<string, Entry>()
  readonly #byContent = new Map<string, Described>()

  private constructor(file: string, lock: FileLock) {
    this.#file = file
    this.#lock = lock
  }

  /**
   * Reads what earlier runs have written about the same question.
   * @throws {CliError} while another run writes it, and for a file that is something else
   */
  static async open(file: string, asked: Asked): Promise<FolderRecord> {
    const lock = tryLock(`${file}.lock`)
    if (lock === undefined) throw new CliError(`Another describe folder is writing ${file}`)
    const record = new FolderRecord(file, lock)
    try {
      if (existsSync(file)) await record.#read(asked)
      return record
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** What is known about a picture whose file has not changed since. */
  find({ file, bytes, modifiedMs }: Picture): Entry | undefined {
    const known = this.#byFile.get(file)
    return known?.bytes === bytes && known.modified_ms === modifiedMs ? known : undefined
  }

  /** The description of a picture of the same content, under whatever name. */
  findContent(sha256: string): Described | undefined {
    return this.#byContent.get(sha256)
  }

  /** @throws a system error, such as that of a full disk */
  append(line: Entry): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`)
    this.#remember(line)
  }

  close(): void {
    this.#lock.release()
  }

  #remember(line: Entry): void {
    this.#byFile.set(line.file, line)
    if ('output' in line) this.#byContent.set(line.sha256, line)
  }

  async #read(asked: Asked): Promise<void> {
    let number = 0
    let bytesBefore = 0
    for await (const { text, bytes, isWhole } of linesOf(this.#file)) {
      number += 1
      const line = entryOf(text)
      if (line === undefined) {
        // An interruption may have cut the last line off, never another one.
        if (isWhole || !text.startsWith(lineStart)) throw this.#notARecord(number)
        return truncateSync(this.#file, bytesBefore)
      }
      if (!isWhole) appendFileSync(this.#file, '\n')
      if (isSameQuestion(line.asked, asked)) this.#remember(line)
      bytesBefore += bytes
    }
  }

  #notARecord(line: number): CliError {
    const hint = 'name another file with --record'
    return new CliError(`Line ${line} of ${this.#file} is not from describe folder: ${hint}`)
  }
}

/** How every line begins, as `Entry` is written. */
const lineStart = '{"file":'

function entryOf(text: string): Entry | undefined {
  try {
    return entry.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

interface Line {
  readonly text: string
  /** Of the line with its end. */
  readonly bytes: number
  /** Whether it has an end. */
  readonly isWhole: boolean
}

/** Node's readline would also split at U+2028, which JSON text may contain. */
async function* linesOf(file: string): AsyncGenerator<Line> {
  let pieces: Buffer[] = []
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end; (end = chunk.indexOf(0x0a, start)) !== -1; start = end + 1) {
      const line = Buffer.concat([...pieces, chunk.subarray(start, end)])
      pieces = []
      yield { text: line.toString(), bytes: line.length + 1, isWhole: true }
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start))
  }
  const rest = Buffer.concat(pieces)
  if (rest.length > 0) yield { text: rest.toString(), bytes: rest.length, isWhole: false }
}
