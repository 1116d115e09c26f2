import { buildWorker } from '../scripts/build-worker.ts'

/**
 * Vitest's global setup: tests start the Worker's bundle, so it must be today's. While it does not build, the other tests can
 * still be run.
 */
export default async function buildBundle(): Promise<void> {
  try {
    await buildWorker()
  } catch (error) {
    console.error('The bundle of the Worker is not up to date:', error)
  }
}
