import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { describeAdapter, type Adapter } from '../../backend/device/adapter.ts'
import { forkChild } from '../../backend/inference/supervisor/fork-child.ts'
import { findAdapter, NoCardError } from './card/card-rows.ts'
import type { PartsInit } from './card/parts/card-process.ts'
import { createKeeper, missingText } from './card/parts/keep-results.ts'
import { parseCardOptions } from './card/parts/options.ts'
import { parts } from './card/parts/parts.ts'
import { runParts } from './card/parts/run-parts.ts'
import { exitCodes, verdictOf } from './card/parts/verdict.ts'
import { rowLine } from './report.ts'

const program = fileURLToPath(new URL('card/parts/card-process.ts', import.meta.url))

/**
 * `npm run bench:card`: judges a graphics card in at most 8 minutes: whether its answers are right, how fast it is, and
 * whether its memory use stays constant.
 * @returns the exit code: see `exitCodes`
 */
export async function main(given: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  try {
    return await judgeCard(given, startedAt)
  } catch (error) {
    if (!(error instanceof NoCardError)) throw error
    console.error(error.message)
    return exitCodes.noCard
  }
}

async function judgeCard(given: readonly string[], startedAt: number): Promise<number> {
  let adapter: Adapter | undefined
  const names = parts.map(({ name }) => name)
  const options = await parseCardOptions(given, names, async () => {
    adapter = await findAdapter()
    return adapter.kind
  })
  const environment = environmentOf(adapter!)
  console.log(environment)
  const endsAt = startedAt + options.minutes * 60_000
  const keeper = createKeeper(options, environment)
  const results = await runParts({
    parts: parts.filter(({ name }) => options.only?.includes(name) ?? true),
    start: (plan) => {
      const leftMs = endsAt - performance.now()
      const init: PartsInit = { options, plan, endsAt: Date.now() + leftMs }
      return forkChild(program, process.env, [JSON.stringify(init)])
    },
    endsAt,
    onBegin: (part) => console.log(`\n${part} ...`),
    onRow: (row, soFar) => {
      console.log(rowLine(row))
      keeper.keep(soFar)
    },
    onEnd: (soFar) => {
      console.log(missingText(soFar.at(-1)!.missing) ?? 'done')
      keeper.keep(soFar)
    },
  })
  const comparing = parts.filter(({ isGolden }) => isGolden).map(({ name }) => name)
  const { exitCode, text } = verdictOf(results, new Set(comparing))
  console.log(`\n${await keeper.finish(results, text)}`)
  return exitCode
}

function environmentOf(adapter: Adapter): string {
  const host = `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? 'unknown'}`
  const software = adapter.kind === 'software' ? ', which computes on the CPU' : ''
  return `${describeAdapter(adapter)}${software}; ${host}, ${process.platform}, Node ${process.versions.node}`
}
