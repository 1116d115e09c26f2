import { pageLoader } from '../../edge/node/page/load-page.ts'
import { writeAtomically } from './write-atomically.ts'

/** Where wrangler.toml has the Worker find the pages. */
const pageFile = 'dist/page.json'

/** What wrangler runs before it bundles: reads the pages into one file. @returns the exit code */
export async function main(): Promise<number> {
  await writeAtomically(pageFile, JSON.stringify(await pageLoader()()))
  return 0
}
