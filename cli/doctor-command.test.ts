import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let stateDir: string
beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterAll(() => rm(stateDir, { recursive: true }))

/** Output and exit code of `describe doctor`. */
async function doctor(settings: Record<string, string>): Promise<{ output: string; code: number }> {
  const env = { PATH: process.env['PATH'], STATE_DIR: stateDir, ...settings }
  try {
    const { stdout } = await promisify(execFile)('node', ['cli/describe.ts', 'doctor'], { env })
    return { output: stdout, code: 0 }
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number }
    return { output: stdout + stderr, code }
  }
}

/** Milliseconds: the command tries the graphics driver and measures the memory. */
const patience = 120_000

describe('the command doctor', () => {
  it(
    'says what the machine has, and what the backend would do with it',
    async () => {
      const { output, code } = await doctor({ PROVIDER: 'cpu' })
      expect(output).toMatch(/^Node +2\d\./m)
      expect(output).toMatch(/^processor +.+ cores/m)
      expect(output).toMatch(/^graphics card +\S/m)
      expect(output).toMatch(
        /^memory +the model needs .+ \(weights \d\.\d MB, .+\), and .+ are free/m,
      )
      expect(output).toMatch(/^disk +.+ to be written by the conversion$/m)
      expect(output).toMatch(/^PROVIDER=cpu +cpu: PROVIDER=cpu$/m)
      expect(output).toMatch(/^speed +at most \d+ tokens\/s/m)
      expect(code).toBe(0)
    },
    patience,
  )

  it(
    'says which memory is missing, as a start would',
    async () => {
      const { output, code } = await doctor({ PROVIDER: 'cpu', MEMORY_MB: '100' })
      expect(output).toMatch(/error: the model does not fit/)
      expect(output).toMatch(
        /remedy: no setting makes up for that, at least \d+ MB have to be free$/m,
      )
      expect(code).toBe(1)
    },
    patience,
  )

  it(
    'names a model that has to be downloaded, and settings that are not valid',
    async () => {
      const missing = await doctor({ MODEL_PATH: 'someone/else', HF_HUB_CACHE: stateDir })
      expect(missing.output).toContain('remedy: describe model pull someone/else')
      const invalid = await doctor({ PROVIDER: 'cuda' })
      expect(invalid).toMatchObject({ code: 1 })
      expect(invalid.output).toContain('PROVIDER')
    },
    patience,
  )
})
