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
    await runProcess(run, rest, results)
  }
  return results
}

/** @param results receives those of the parts that the process reached: at least one */
function runProcess(
  run: PartsRun,
  parts: readonly PartPlan[],
  results: PartResult[],
): Promise<void> {
  const child = run.start(parts)
  const earlier = results.length
  let isRunning = false
  let rows: BenchRow[] = []
  let startedAt = performance.now()
  let lateAfterMs: number | undefined
  let timer: NodeJS.Timeout | undefined
  const rest = () => parts.slice(results.length - earlier)
  const resultOf = (missing: Missing): PartResult => {
    return { name: rest()[0]!.name, seconds: (performance.now() - startedAt) / 1000, rows, missing }
  }
  const failed = (problem: string): Missing => ({ problem, leftOut: [] })
  const late = (ms: number): Missing => ({
    problem: undefined,
    leftOut: [`what was not finished within ${Math.round(ms / 1000)} seconds`],
  })
  const end = (missing: Missing) => {
    results.push(resultOf(missing))
    run.onEnd(results)
    isRunning = false
    rows = []
    startedAt = performance.now()
  }
  const watch = () => {
    clearTimeout(timer)
    if (rest().length === 0) return
    const ms = limitOf(rest(), run.endsAt - performance.now())
    timer = setTimeout(() => {
      lateAfterMs = ms
      child.kill('SIGKILL')
    }, ms)
  }
  watch()
  child.on('message', (message: FromParts) => {
    switch (message.type) {
      case 'begin':
        isRunning = true
        run.onBegin(message.part)
        return
      case 'row':
        rows.push(message.row)
        run.onRow(message.row, [...results, resultOf(failed('not finished'))])
        return
      case 'end':
        end(message.missing)
        watch()
    }
  })
  return new Promise((resolve) => {
    const finish = (how: string) => {
      clearTimeout(timer)
      // It may end between two parts. A process that reaches none would be started again forever.
      const mayEnd = !isRunning && results.length > earlier && lateAfterMs === undefined
      if (rest().length > 0 && !mayEnd) {
        end(lateAfterMs === undefined ? failed(`its process ended with ${how}`) : late(lateAfterMs))
      }
      resolve()
    }
    child.on('error', (error) => finish(error.message))
    child.on('close', (code, signal) => finish(signal ?? `code ${code}`))
  })
}
