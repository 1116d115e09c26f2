import type { ProgressAmount } from '../../../shared/progress/progress.ts'

/** One start of the inference process, in numbers. */
export interface StartUp {
  /** Processes started so far, this one included. */
  readonly starts: number
  /** Since this one was started. */
  readonly seconds: number
  /** What it is converting; undefined while there is nothing to convert. */
  readonly converted: ProgressAmount | undefined
  /** What it is checking and loading; undefined until that takes long enough to be reported. */
  readonly loaded: ProgressAmount | undefined
}

/** Follows the starts of inference processes, one after the other. */
export class StartProgress {
  readonly #now: () => number
  #starts = 0
  #startedAt = 0
  #converted: ProgressAmount | undefined
  #loaded: ProgressAmount | undefined
  #readySince: number | undefined

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
  }

  report(): StartUp {
    const seconds = Math.round((this.#now() - this.#startedAt) / 100) / 10
    return { starts: this.#starts, seconds, converted: this.#converted, loaded: this.#loaded }
  }

  begin(): void {
    this.#starts += 1
    this.#startedAt = this.#now()
    this.#converted = undefined
    this.#loaded = undefined
  }

  converting(amount: ProgressAmount | undefined): void {
    this.#converted = amount ?? this.#converted
  }

  /** @returns whether this is news: it arrives on another pipe than `ready`, and may be late */
  loading(amount: ProgressAmount): boolean {
    if (this.#readySince !== undefined) return false
    this.#loaded = amount
    return true
  }

  ready(): void {
    this.#readySince = this.#now()
    this.#loaded = this.#loaded && { ...this.#loaded, doneBytes: this.#loaded.totalBytes }
  }

  /** @returns for how many milliseconds the process was ready; 0 when it never was */
  end(): number {
    const readyForMs = this.#readySince === undefined ? 0 : this.#now() - this.#readySince
    this.#readySince = undefined
    return readyForMs
  }
}
