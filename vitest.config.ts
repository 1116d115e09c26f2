import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/longest-first.ts'

// Miniflare syncs its state to disk; keeping it in memory makes the tests independent of a slow or busy disk.
if (existsSync('/dev/shm')) process.env['TMPDIR'] = '/dev/shm'

// Tests of graphs make sessions of their own; see backend/model/sessions.ts.
process.env['ORT_DISABLE_TELEMETRY'] = '1'

/** Generous on purpose: machines are shared and noisy, and no test asserts how long something takes. */
const patience = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 30_000 } },
}

export default defineConfig({
  test: {
    globalSetup: 'test/build-bundle.ts',
    sequence: { sequencer: LongestFirst },
    // For two cores: many tests wait for a process to start or a time to pass.
    maxWorkers: 3,
    maxConcurrency: 10,
    projects: [
      {
        test: {
          ...patience,
          name: 'unit',
          pool: 'forks',
          include: [
            '{backend,cli,edge,shared,scripts}/**/*.test.ts',
            'test/parity/**/*.test.ts',
            'test/edges/**/*.test.ts',
            'test/deploy/**/*.test.ts',
          ],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...patience,
          name: 'end-to-end',
          pool: 'forks',
          include: ['test/end-to-end/**/*.test.ts'],
          // Each file runs the whole product, so only two run at a time, once nothing else does. Much of a file is waiting.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
