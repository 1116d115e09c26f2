import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import type { Processor } from './judge.ts'

export async function readProcessor(): Promise<Processor> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return {
    model: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    architecture: process.arch,
    features: featuresOf(text),
  }
}

/** @param text /proc/cpuinfo: `flags` on x86, `Features` on ARM */
function featuresOf(text: string): string[] | undefined {
  return /^(?:flags|Features)\s*:\s*(.+)$/m.exec(text)?.[1]?.split(' ')
}
