import { buildNodePrograms, buildWorker } from '../scripts/build.mjs'

/** Vitest's global setup: tests may start the programs in dist/, so these must be today's. */
export default async function buildPrograms(): Promise<void> {
  try {
    await Promise.all([buildNodePrograms(), buildWorker()])
  } catch (error) {
    console.error(error)
  }
}
