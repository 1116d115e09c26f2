import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { forkChild } from '../backend/inference/supervisor/fork-child.ts'

const program = fileURLToPath(new URL('bench/run-bench.ts', import.meta.url))

/**
 * `npm run bench`: measures models of the real dimensions, in a process that has the memory settings of the inference
 * process from its start.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const [code] = (await once(forkChild(program, process.env, given), 'exit')) as [number | null]
  return code ?? 1
}
