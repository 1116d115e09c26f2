import { buildNodePrograms, buildWorker } from '../scripts/build.mjs'

/**
 * Vitest's global setup: tests may start the programs in dist/, so these must be today's. While one part does not
 * build, the tests of the others can still be run; `npm test` builds before and stops there.
 */
export default async function buildPrograms(): Promise<void> {
  try {
    await Promise.all([buildNodePrograms(), buildWorker()])
  } catch (error) {
    console.error('dist/ is not up to date:', error)
  }
}
