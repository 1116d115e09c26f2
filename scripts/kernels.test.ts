import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compileKernel, kernels } from './kernels.ts'

/** Milliseconds: the compiler takes seconds to start. */
const patience = 120_000

it.each(kernels)(
  'compileKernel() makes $module, which is part of the repository',
  async (kernel) => {
    const folder = await mkdtemp(join(tmpdir(), 'kernels-'))
    const file = join(folder, 'kernel.wasm')
    expect(await compileKernel(kernel, file)).toBe(true)
    // After changing the source, run `npm run kernels`.
    const committed = await readFile(kernel.module)
    expect(Buffer.compare(await readFile(file), committed)).toBe(0)
    await rm(folder, { recursive: true })
  },
  patience,
)
