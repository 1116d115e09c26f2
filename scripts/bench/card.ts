import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeAdapter, type Adapter } from '../../backend/device/adapter.ts'
import { forkChild } from '../../backend/inference/supervisor/fork-child.ts'
import { findAdapter, NoCardError } from './card/card-rows.ts'
import { rowLine, tableOf } from './report.ts'
import { parseCardOptions, type CardCheckOptions } from './card/parts/options.ts'
import type { PartResult } from './card/parts/part.ts'
import { parts } from './card/parts/parts.ts'
import { runParts } from './card/parts/run-parts.ts'
import { writeSection } from '../performance/document.ts'

const program = fileURLToPath(new URL('card/parts/card-process.ts', import.meta.url))

/**
 * `npm run bench:card`: everything there is to know of a graphics card, in at most 8 minutes: whether its answers are
 * right, how fast it is, and whether its memory stays as it is.
 * @returns the exit code: 0 when all answers were the reference's, 1 when they were not or there is no card
 */
export async function main(given: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  try {
    return await judgeCard(given, startedAt)
  } catch (error) {
    if (!(error instanceof NoCardError)) throw error
    console.error(error.message)
    return 1
  }
}

async function judgeCard(given: readonly string[], startedAt: number): Promise<number> {
  let adapter: Adapter | undefined
  const options = await parseCardOptions(given, async () => {
    adapter = await findAdapter()
    return adapter.kind
  })
  const environment = environmentOf(adapter!)
  console.log(environment)
  const results = await runParts({
    parts: parts.filter(({ name }) => options.only?.includes(name) ?? true),
    start: (names) => forkChild(program, process.env, [JSON.stringify(options), ...names]),
    endsAt: startedAt + options.minutes * 60_000,
    onBegin: (part) => console.log(`\n${part} ...`),
    onRow: (row) => console.log(rowLine(row)),
  })
  await keep(options, environment, results)
  return judge(results) ? 0 : 1
}

/** Says whether the answers were the reference's, if any were compared. @returns false when they were not */
function judge(results: readonly PartResult[]): boolean {
  const compared = results.filter(({ name }) => isGolden(name))
  const isRight = compared.every(({ problem }) => problem === undefined)
  const right = compared.length > 0 ? 'The answers are right.' : 'No answers were compared.'
  console.log(`\n${isRight ? right : 'THE ANSWERS ARE NOT RIGHT.'}`)
  return isRight
}

function isGolden(part: string): boolean {
  return parts.find(({ name }) => name === part)?.isGolden ?? false
}

function environmentOf(adapter: Adapter): string {
  const host = `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? 'unknown'}`
  const software = adapter.kind === 'software' ? ', which computes on the CPU' : ''
  return `${describeAdapter(adapter)}${software}; ${host}, ${process.platform}, Node ${process.versions.node}`
}

async function keep(
  options: CardCheckOptions,
  environment: string,
  results: readonly PartResult[],
): Promise<void> {
  const { layers, visionLayers, slots, dir } = options
  const date = new Date().toISOString()
  await mkdir(dir, { recursive: true })
  const file = join(dir, 'card.json')
  await writeFile(file, JSON.stringify({ date, environment, layers, slots, results }, null, 2))
  const title = `${environment}; ${layers} decoder layers, ${visionLayers} vision layers, ${slots} slots; ${date.slice(0, 10)}`
  const table = tableOf(results.flatMap(({ rows }) => rows))
  const problems = results.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`- **${name}**: ${problem}`],
  )
  const section = [title, table, ...(problems.length > 0 ? [problems.join('\n')] : [])].join('\n\n')
  console.log(`\n${section}\n\nnumbers in ${file}`)
  if (options.doc) await writeSection('card', section)
}
