import type { ChildProcess } from 'node:child_process'
import type { BenchRow } from '../../measure.ts'
import type { FromParts, PartPlan, PartResult } from './part.ts'

interface PartsRun {
  readonly parts: readonly PartPlan[]
  /** Starts a process that runs these parts, in order, and reports by messages. */
  readonly start: (names: readonly string[]) => ChildProcess
  /** When everything has to be over, in milliseconds of `performance.now()`. */
  readonly endsAt: number
  readonly onBegin: (part: string) => void
  readonly onRow: (row: BenchRow) => void
}

/** Less than this is not enough for any part. Milliseconds. */
const leastMs = 2_000

/**
 * Runs parts in a process of their own, one after the other. A part that fails, hangs or takes the process with it is
 * recorded, and the rest goes on, in a new process if need be.
 */
export async function runParts(run: PartsRun): Promise<PartResult[]> {
  const results: PartResult[] = []
  while (results.length < run.parts.length) {
    const rest = run.parts.slice(results.length)
    if (run.endsAt - performance.now() < leastMs) {
      const problem = 'not run: no time was left'
      return [...results, ...rest.map(({ name }) => ({ name, seconds: 0, rows: [], problem }))]
    }
    results.push(...(await runProcess(run, rest)))
  }
  return results
}

/** @returns results of the parts that the process came to: at least one */
function runProcess(run: PartsRun, parts: readonly PartPlan[]): Promise<PartResult[]> {
  const child = run.start(parts.map(({ name }) => name))
  const results: PartResult[] = []
  let rows: BenchRow[] = []
  let startedAt = performance.now()
  let killedFor: string | undefined
  let timer: NodeJS.Timeout | undefined
  const end = (problem: string | undefined) => {
    const { name } = parts[results.length]!
    results.push({ name, seconds: (performance.now() - startedAt) / 1000, rows, problem })
    rows = []
    startedAt = performance.now()
  }
  const watch = () => {
    clearTimeout(timer)
    const next = parts[results.length]
    if (next === undefined) return
    const ms = Math.max(0, Math.min(next.deadlineMs, run.endsAt - performance.now()))
    timer = setTimeout(() => {
      killedFor = `not finished within ${Math.round(ms / 1000)} seconds`
      child.kill('SIGKILL')
    }, ms)
  }
  watch()
  child.on('message', (message: FromParts) => {
    switch (message.type) {
      case 'begin':
        run.onBegin(message.part)
        return
      case 'row':
        rows.push(message.row)
        run.onRow(message.row)
        return
      case 'end':
        end(message.problem)
        watch()
    }
  })
  return new Promise((resolve) => {
    const finish = (how: string) => {
      clearTimeout(timer)
      if (results.length < parts.length) end(killedFor ?? `its process ended with ${how}`)
      resolve(results)
    }
    child.on('error', (error) => finish(error.message))
    child.on('close', (code, signal) => finish(signal ?? `code ${code}`))
  })
}
