import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { readRunningAddress } from '../../shared/node/running-address.ts'
import { withDotEnv } from '../../shared/node/settings/dot-env.ts'
import { markdownTable, writeSection } from '../performance/document.ts'
import { tableOfForms } from './hostile/forms-table.ts'
import { hostileKinds } from './hostile/hostile-kinds.ts'
import { measureBeside, openTarget, type BesideRow, type Target } from './hostile/measure-beside.ts'
import { wholeNumber } from './options.ts'

/**
 * `npm run bench:hostile`: measures how much longer a normal picture takes beside two hostile ones of another key, on
 * the server that `npm start` runs here; or how long hostile forms take. Prints a table.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run bench:hostile --')
    .description('Measures a normal picture beside hostile ones, on the server that npm start runs')
    .option('--rounds <count>', 'times that each is measured', wholeNumber, 9)
    .addOption(formsOption)
    .option('--only <text>', 'only the kinds whose name contains it', '')
    .option('--doc', 'write the table into docs/performance.md', false)
    .exitOverride()
  try {
    program.parse([...given], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    throw error
  }
  const { rounds, forms, only, doc } = program.opts<Options>()
  const stateDir = withDotEnv(process.env, '.env')['STATE_DIR'] || '.local'
  const address = readRunningAddress(stateDir)
  if (address === undefined) {
    console.error(`No server runs with STATE_DIR=${stateDir}: start it with npm start`)
    return 1
  }
  const rootKey = (await readFile(join(stateDir, 'api-key'), 'utf8')).trim()
  const report = forms
    ? await tableOfForms({ url: address.url, key: rootKey }, rounds, only)
    : await tableOfPictures(await openTarget(address.url, rootKey), rounds, only)
  console.log(`\n${report}`)
  if (doc) await writeSection('hostile', report)
  return 0
}

const formsOption = new Option('--forms', 'time of hostile forms, instead of pictures')
  .default(false)
  .conflicts('doc')

interface Options {
  readonly rounds: number
  readonly forms: boolean
  readonly only: string
  readonly doc: boolean
}

async function tableOfPictures(target: Target, rounds: number, only: string): Promise<string> {
  const rows: BesideRow[] = []
  for await (const kind of hostileKinds(only)) {
    const row = await measureBeside(target, rounds, kind)
    console.log(cellsOf(row).join(', '))
    rows.push(row)
  }
  return markdownTable(header, rows.map(cellsOf))
}

const header = ['two of', 'file', 'alone', 'beside them', 'ratio', 'worst', 'each of the two']

function cellsOf({ name, fileBytes, aloneMs, besideMs, worstMs, hostileMs, outcome }: BesideRow) {
  const size = `${(fileBytes / 1e3).toFixed(fileBytes < 1e4 ? 1 : 0)} KB`
  const ms = (value: number) => `${value.toFixed(0)} ms`
  const ratio = (besideMs / aloneMs).toFixed(2)
  return [name, size, ms(aloneMs), ms(besideMs), ratio, ms(worstMs), `${ms(hostileMs)}: ${outcome}`]
}
