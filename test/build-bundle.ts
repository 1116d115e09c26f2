import { buildWorker } from '../scripts/build/worker.ts'

/**
 * Vitest's global setup: tests start the Worker's bundle, so it must be up to date. If it does not build, the other
 * tests can still run.
 */
export default async function buildBundle(): Promise<void> {
  try {
    await buildWorker()
  } catch (error) {
    console.error('The bundle of the Worker is not up to date:', error)
  }
}
