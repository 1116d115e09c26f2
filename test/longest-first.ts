import { existsSync } from 'node:fs'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take long, longest first. Begun last, one of them would run for a minute while the other cores have nothing
 * left to do. Vitest knows how long a file took only where it has run before, and goes by its size otherwise.
 */
const longFiles = [
  'test/parity/device-on-driver.test.ts',
  'test/edges/node-pages.test.ts',
  'test/edges/node-stalled.test.ts',
  'test/edges/worker-pages.test.ts',
  'scripts/soak/engine/soak.test.ts',
  'test/parity/device.test.ts',
  'test/parity/caches.test.ts',
  'scripts/bench/edge/storm.test.ts',
  'backend/main.test.ts',
  'cli/model-command.test.ts',
  'test/edges/worker-keys.test.ts',
  'test/edges/worker-stalled.test.ts',
  'test/parity/determinism.test.ts',
  'test/edges/node-doors.test.ts',
  'test/edges/worker-doors.test.ts',
  'test/parity/device-memory.test.ts',
  'test/edges/worker-drain.test.ts',
  'test/edges/worker-abuse.test.ts',
  'test/edges/node-abuse.test.ts',

  'test/end-to-end/life-cycle.test.ts',
  'test/end-to-end/engine-stalls.test.ts',
  'test/end-to-end/probes.test.ts',
  'test/end-to-end/faults.test.ts',
  'test/end-to-end/failover.test.ts',
]

const missing = longFiles.filter((file) => !existsSync(file))
if (missing.length > 0) throw new Error(`test/longest-first.ts names no files: ${missing.join()}`)

/** Begins with the files that take long. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longFiles.findIndex((file) => moduleId.endsWith(`/${file}`))
      return index === -1 ? longFiles.length : index
    }
    // oxlint-disable-next-line unicorn/no-array-sort -- not that of an array
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}
