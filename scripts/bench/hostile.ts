import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { readRunningAddress } from '../../shared/node/running-address.ts'
import { withDotEnv } from '../../shared/node/settings/dot-env.ts'
import { markdownTable, writeSection } from '../performance/document.ts'
import { hostileKinds } from './hostile/hostile-kinds.ts'
import { measureBeside, openTarget, type BesideRow } from './hostile/measure-beside.ts'
import { wholeNumber } from './options.ts'

/**
 * `npm run bench:hostile`: measures how much longer a normal picture takes beside two hostile ones of another key, on
 * the server that `npm start` runs here. Prints a table.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run bench:hostile --')
    .description('Measures a normal picture beside hostile ones, on the server that npm start runs')
    .option('--rounds <count>', 'times that each is measured', wholeNumber, 9)
    .option('--only <text>', 'only the kinds whose name contains it', '')
    .option('--doc', 'write the table into docs/performance.md', false)
    .exitOverride()
  try {
    program.parse([...given], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    throw error
  }
  const { rounds, only, doc } = program.opts<{ rounds: number; only: string; doc: boolean }>()
  const stateDir = withDotEnv(process.env, '.env')['STATE_DIR'] || '.local'
  const address = readRunningAddress(stateDir)
  if (address === undefined) {
    console.error(`No server runs with STATE_DIR=${stateDir}: start it with npm start`)
    return 1
  }
  const rootKey = (await readFile(join(stateDir, 'api-key'), 'utf8')).trim()
  const target = await openTarget(address.url, rootKey)
  const rows: BesideRow[] = []
  for await (const kind of hostileKinds(only)) {
    const row = await measureBeside(target, rounds, kind)
    console.log(cellsOf(row).join(', '))
    rows.push(row)
  }
  const table = markdownTable(header, rows.map(cellsOf))
  console.log(`\n${table}`)
  if (doc) await writeSection('hostile', table)
  return 0
}

const header = ['two of', 'file', 'alone', 'beside them', 'ratio', 'worst', 'each of the two']

function cellsOf({ name, fileBytes, aloneMs, besideMs, worstMs, hostileMs, outcome }: BesideRow) {
  const size = `${(fileBytes / 1e3).toFixed(fileBytes < 1e4 ? 1 : 0)} KB`
  const ms = (value: number) => `${value.toFixed(0)} ms`
  const ratio = (besideMs / aloneMs).toFixed(2)
  return [name, size, ms(aloneMs), ms(besideMs), ratio, ms(worstMs), `${ms(hostileMs)}: ${outcome}`]
}
