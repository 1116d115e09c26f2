import { printable } from '../table.ts'
import type { Refusal } from './ask-picture.ts'
import type { Outcome } from './describe-folder.ts'

/** Milliseconds between two reports. */
const reportMs = 10_000
/** UTF-16 code units of a description that are printed; the record has all. */
const maxShown = 200

/** Counts what became of pictures, and says how far the run is. */
export class Progress {
  readonly #all: number
  readonly #now: () => number
  readonly #startedMs: number
  #reportedMs: number
  #waitedMs = -Infinity
  #described = 0
  #failed = 0

  /** @param all number of pictures of this run */
  constructor(all: number, now: () => number) {
    this.#all = all
    this.#now = now
    this.#startedMs = now()
    this.#reportedMs = this.#startedMs
  }

  /** @returns a line that shows the outcome */
  count(outcome: Outcome): string {
    if ('entry' in outcome && 'output' in outcome.entry) {
      this.#described += 1
      return `${printable(outcome.entry.file)}: ${shown(outcome.entry.output)}`
    }
    this.#failed += 1
    if ('problem' in outcome) return printable(outcome.problem)
    const { file, error } = outcome.entry as Extract<typeof outcome.entry, { error: object }>
    return `${printable(file)}: refused, ${printable(error.message)} (${error.code})`
  }

  /** Says how far the run is, unless that was said just before. */
  report(note: (line: string) => void): void {
    if (this.#now() - this.#reportedMs < reportMs) return
    this.#reportedMs = this.#now()
    note(this.summary())
  }

  /** Says that the server is waited for, unless that was said just before. */
  waits({ message, code }: Refusal, ms: number, note: (line: string) => void): void {
    if (this.#now() - this.#waitedMs < reportMs) return
    this.#waitedMs = this.#now()
    note(`${printable(message)} (${code}); trying again in ${Math.ceil(ms / 1_000)} s`)
  }

  summary(): string {
    const done = this.#described + this.#failed
    const minutes = (this.#now() - this.#startedMs) / 60_000
    const left = this.#all - done
    const rate = done === 0 || minutes === 0 ? '' : `, ${(done / minutes).toFixed(1)} a minute`
    const time = left === 0 || done === 0 ? '' : `, about ${duration((left * minutes) / done)} left`
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} refused or unreadable`
    return `${this.#described} of ${this.#all} described${failed}${rate}${time}`
  }

  get isComplete(): boolean {
    return this.#described === this.#all
  }
}

function shown(text: string): string {
  const line = printable(text).replaceAll(/ +/g, ' ').trim()
  // Half of a character at the cut would be shown as a question mark.
  return line.length <= maxShown ? line : `${line.slice(0, maxShown).toWellFormed()} ...`
}

function duration(minutes: number): string {
  if (minutes < 1) return `${Math.ceil(minutes * 60)} s`
  return minutes < 100 ? `${Math.ceil(minutes)} min` : `${(minutes / 60).toFixed(1)} h`
}
