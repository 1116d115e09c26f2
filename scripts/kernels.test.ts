import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compileKernels } from './kernels.ts'

/** Milliseconds: the compiler takes seconds to start. */
const patience = 120_000

it(
  'compileKernels() makes the module that is part of the repository',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kernels-'))
    const file = join(folder, 'kernels.wasm')
    expect(await compileKernels(file)).toBe(true)
    // After a change of the source: `npm run kernels`.
    const committed = await readFile('backend/graph/kernels/kernels.wasm')
    expect(Buffer.compare(await readFile(file), committed)).toBe(0)
    await rm(folder, { recursive: true })
  },
  patience,
)
