import { runTool } from './support/run-command.ts'

const folder = 'backend/graph/kernels'

/** Pages of 64 KiB: 16 MB, which `backend/graph/kernels/kernels.ts` divides. */
const memoryPages = '256'

/** `npm run kernels`: compiles the loops over weights; the result is part of the repository. @returns the exit code */
export async function main(): Promise<number> {
  return (await compileKernels(`${folder}/kernels.wasm`)) ? 0 : 1
}

/** @returns whether it succeeded; if not, the compiler has printed why */
export function compileKernels(file: string): Promise<boolean> {
  const source = `${folder}/assembly/kernels.ts`
  const speed = ['--enable', 'simd', '--optimizeLevel', '3', '--converge', '--noAssert']
  const memory = ['--initialMemory', memoryPages, '--maximumMemory', memoryPages]
  return runTool('asc', source, '--outFile', file, '--runtime', 'stub', ...speed, ...memory)
}
