import type { ChildProcess } from 'node:child_process'
import type { BenchRow } from '../../measure.ts'
import type { FromParts, Missing, PartPlan, PartResult } from './part.ts'
import { afterRestart, limitOf } from './time-shares.ts'

interface PartsRun {
  readonly parts: readonly PartPlan[]
  /** Starts a process that runs these parts, in order, and reports by messages. It may end after any of them. */
  readonly start: (parts: readonly PartPlan[]) => ChildProcess
  /** When everything has to be over, in milliseconds of `performance.now()`. */
  readonly endsAt: number
  readonly onBegin: (part: string) => void
  /** @param results of all parts so far, the last of which may still be running */
  readonly onRow: (row: BenchRow, results: readonly PartResult[]) => void
  readonly onEnd: (results: readonly PartResult[]) => void
}

/** Less than this is not enough for any part. Milliseconds. */
const leastMs = 2_000

/**
 * Runs parts in a process of their own, one after the other. A part that fails, hangs or crashes the process is
 * recorded, and the rest continues, in a new process if necessary.
 */
export async function runParts(run: PartsRun): Promise<PartResult[]> {
  const results: PartResult[] = []
  while (results.length < run.parts.length) {
    const left = run.parts.slice(results.length)
    const rest = results.length === 0 ? left : afterRestart(left)
    if (run.endsAt - performance.now() < leastMs) {
      for (const { name } of rest) {
        const missing = { problem: undefined, leftOut: [name] }
        results.push({ name, seconds: 0, rows: [], missing })
      }
      run.onEnd(results)
      return results
    }
    await new PartsProcess(run, rest, results).ended()
  }
  return results
}

/** A process that runs parts. It reaches at least one. */
class PartsProcess {
  readonly #run: PartsRun
  readonly #parts: readonly PartPlan[]
  /** Of all parts so far. */
  readonly #results: PartResult[]
  /** How many of these other processes had run. */
  readonly #earlier: number
  readonly #child: ChildProcess
  #isRunning = false
  #rows: BenchRow[] = []
  #startedAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  /** Milliseconds after which it was killed. */
  #lateAfterMs: number | undefined

  /** @param results receives those of the parts that the process reaches */
  constructor(run: PartsRun, parts: readonly PartPlan[], results: PartResult[]) {
    this.#run = run
    this.#parts = parts
    this.#results = results
    this.#earlier = results.length
    this.#child = run.start(parts)
    this.#child.on('message', (message: FromParts) => this.#receive(message))
    this.#watch()
  }

  /** Settles once the process has ended. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      const finish = (how: string) => {
        this.#finish(how)
        resolve()
      }
      this.#child.on('error', (error) => finish(error.message))
      this.#child.on('close', (code, signal) => finish(signal ?? `code ${code}`))
    })
  }

  #receive(message: FromParts): void {
    switch (message.type) {
      case 'begin':
        this.#isRunning = true
        this.#run.onBegin(message.part)
        return
      case 'row':
        this.#rows.push(message.row)
        this.#run.onRow(message.row, [...this.#results, this.#resultOf(failed('not finished'))])
        return
      case 'end':
        this.#end(message.missing)
        this.#watch()
    }
  }

  /** Kills the process when the current part takes too long. */
  #watch(): void {
    clearTimeout(this.#timer)
    const left = this.#left
    if (left.length === 0) return
    const ms = limitOf(left, this.#run.endsAt - performance.now())
    this.#timer = setTimeout(() => {
      this.#lateAfterMs = ms
      this.#child.kill('SIGKILL')
    }, ms)
  }

  /** Notes the end of the current part. */
  #end(missing: Missing): void {
    this.#results.push(this.#resultOf(missing))
    this.#run.onEnd(this.#results)
    this.#isRunning = false
    this.#rows = []
    this.#startedAt = performance.now()
  }

  #finish(how: string): void {
    clearTimeout(this.#timer)
    // It may end between two parts. A process that reaches none would be started again forever.
    const hasReachedOne = this.#results.length > this.#earlier
    const lateMs = this.#lateAfterMs
    const mayEnd = !this.#isRunning && hasReachedOne && lateMs === undefined
    if (this.#left.length === 0 || mayEnd) return
    this.#end(lateMs === undefined ? failed(`its process ended with ${how}`) : late(lateMs))
  }

  get #left(): readonly PartPlan[] {
    return this.#parts.slice(this.#results.length - this.#earlier)
  }

  #resultOf(missing: Missing): PartResult {
    const seconds = (performance.now() - this.#startedAt) / 1000
    return { name: this.#left[0]!.name, seconds, rows: this.#rows, missing }
  }
}

function failed(problem: string): Missing {
  return { problem, leftOut: [] }
}

function late(ms: number): Missing {
  const unfinished = `what was not finished within ${Math.round(ms / 1000)} seconds`
  return { problem: undefined, leftOut: [unfinished] }
}
