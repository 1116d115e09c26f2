import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilePart } from '../../../graph/weights-file.ts'
import type { Equalization } from '../../equalize/find-outliers.ts'
import type { ChannelMaxima } from '../../equalize/channel-maxima.ts'
import type { ConversionEvent, FillRef, StoredMaxima } from './conversion-task.ts'
import { findDamagedParts } from '../verify/verify-files.ts'

/** In the folder of a conversion: what it is made from, then a line for everything that was done. */
export const journalFile = 'conversion.jsonl'

/** What of a conversion is done. */
export class Journal {
  readonly #file: number
  readonly #hashes = new Map<string, string>()
  readonly #maxima = new Map<string, StoredMaxima>()
  /** SHA-256 of the rows behind a part -> the part. */
  readonly #rows = new Map<string, string>()
  readonly #shifts = new Map<string, Equalization>()
  readonly #fills = new Map<string, FillRef & { readonly parts: readonly FilePart[] }>()

  private constructor(file: number) {
    this.#file = file
  }

  /**
   * Opens the journal of a folder, and begins a new one unless it is of the same conversion.
   * @param identity a line that says what is converted, and into which form
   */
  static async open(folder: string, identity: string): Promise<Journal> {
    const name = join(folder, journalFile)
    const [first, ...lines] = (await readFile(name, 'utf8').catch(() => '')).split('\n')
    const isSame = first === identity
    if (!isSame) writeFileSync(name, identity)
    const journal = new Journal(openSync(name, 'a'))
    // A torn last line must not swallow the next one.
    writeSync(journal.#file, '\n')
    if (isSame) for (const event of lines.flatMap(parseEvent)) journal.#remember(event)
    return journal
  }

  /** Drops entries that do not match the files: after a power failure, these may lack what the journal has. */
  async compareWithFiles(folder: string, signal: AbortSignal): Promise<void> {
    for (const file of new Set([...this.#fills.values()].map((fill) => fill.file))) {
      const damaged = await findDamagedParts(join(folder, file), this.partsOf(file), signal)
      const offsets = new Set(damaged.map(({ offset }) => offset))
      for (const [key, fill] of this.#fills) {
        const isDamaged = fill.file === file && fill.parts.some(({ offset }) => offsets.has(offset))
        if (isDamaged) this.#fills.delete(key)
      }
    }
  }

  add(event: ConversionEvent): void {
    writeSync(this.#file, `${JSON.stringify(event)}\n`)
    this.#remember(event)
  }

  /** SHA-256 of a file of the source. */
  hashOf(name: string): string | undefined {
    return this.#hashes.get(name)
  }

  /** What was measured of a part's channels. */
  maximaOf(part: string): ChannelMaxima | undefined {
    const stored = this.#maxima.get(part)
    return (
      stored &&
      new Map(
        Object.entries(stored).map(([link, text]) => [link, floatsOf(Buffer.from(text, 'base64'))]),
      )
    )
  }

  /** The measured part after which the rows are these. @param sha256 of the rows */
  partWithRows(sha256: string): string | undefined {
    return this.#rows.get(sha256)
  }

  shiftsOf(part: string): Equalization | undefined {
    return this.#shifts.get(part)
  }

  isFilled(ref: FillRef): boolean {
    return this.#fills.has(keyOf(ref))
  }

  /** Everything that was written to a file, in its order. */
  partsOf(file: string): FilePart[] {
    return [...this.#fills.values()]
      .filter((fill) => fill.file === file)
      .flatMap(({ parts }) => parts)
      .toSorted((a, b) => a.offset - b.offset)
  }

  close(): void {
    closeSync(this.#file)
  }

  #remember(event: ConversionEvent): void {
    switch (event.type) {
      case 'hashed':
        this.#hashes.set(event.name, event.sha256)
        return
      case 'measured':
        this.#maxima.set(event.part, event.maxima)
        if (event.rows !== undefined) this.#rows.set(event.rows, event.part)
        return
      case 'balanced':
        this.#shifts.set(event.part, event.shifts)
        return
      case 'filled':
        this.#fills.set(keyOf(event), event)
    }
  }
}

function keyOf({ file, fill }: FillRef): string {
  return `${file} ${fill}`
}

/** Bytes of float32 numbers as such. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

/** Nothing for an empty line, or one that was cut off when the process was killed. */
function parseEvent(line: string): ConversionEvent[] {
  try {
    return [JSON.parse(line) as ConversionEvent]
  } catch {
    return []
  }
}
