import { join } from 'node:path'
import { runTool } from './support/run-command.ts'
import { takeNoArguments } from './support/take-no-arguments.ts'

/** A WebAssembly module of ours. */
export interface Kernel {
  /** Its source in AssemblyScript. */
  readonly source: string
  /** Its binary, which is part of the repository. */
  readonly module: string
  /** Pages of 64 KiB, whose layout is defined by the TypeScript file next to the module. */
  readonly memoryPages: number
}

export const kernels: readonly Kernel[] = [
  kernelOf('backend/graph/kernels', 'kernels', 256),
  kernelOf('backend/grammar/masks/kernel', 'pack-values', 2),
]

function kernelOf(folder: string, name: string, memoryPages: number): Kernel {
  const source = join(folder, 'assembly', `${name}.ts`)
  return { source, module: join(folder, `${name}.wasm`), memoryPages }
}

/** `npm run kernels`: compiles all of them. @returns the exit code */
export async function main(given: readonly string[]): Promise<number> {
  takeNoArguments('npm run kernels', 'Compiles the WebAssembly kernels', given)
  for (const kernel of kernels) if (!(await compileKernel(kernel, kernel.module))) return 1
  return 0
}

/** @returns whether it succeeded; if not, the compiler has printed why */
export function compileKernel({ source, memoryPages }: Kernel, file: string): Promise<boolean> {
  const pages = String(memoryPages)
  const speed = ['--enable', 'simd', '--optimizeLevel', '3', '--converge', '--noAssert']
  const memory = ['--initialMemory', pages, '--maximumMemory', pages]
  return runTool('asc', source, '--outFile', file, '--runtime', 'stub', ...speed, ...memory)
}
