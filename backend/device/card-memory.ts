import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AdapterMemory } from './adapter.ts'

/** Milliseconds; a driver that is stuck must not hold up the start. */
const patienceMs = 5_000

/**
 * Memory of the card that a driver opened. Known for those of NVIDIA and AMD; integrated graphics has no memory of its own.
 * @param driver file name of its library, if that is known
 */
export async function cardMemory(driver?: string): Promise<AdapterMemory | undefined> {
  return memoryBehind(driver, { nvidia: await nvidiaMemory(), amd: await amdMemory() })
}

/**
 * Which of the machine's cards was opened is not reported. WebGPU asks for the fastest, and Vulkan's loader lists discrete
 * cards before integrated ones, and the first on the PCI bus before others, as nvidia-smi does.
 */
export function memoryBehind(
  driver: string | undefined,
  { nvidia, amd }: Readonly<Record<'nvidia' | 'amd', readonly AdapterMemory[]>>,
): AdapterMemory | undefined {
  const first = nvidia[0]
  // Integrated graphics has far less.
  const largest = amd.toSorted((a, b) => b.totalBytes - a.totalBytes)[0]
  if (driver === undefined) return first ?? largest
  if (/nvidia/i.test(driver)) return first
  return /radeon|amd/i.test(driver) ? largest : undefined
}

async function nvidiaMemory(): Promise<AdapterMemory[]> {
  const query = ['--query-gpu=memory.total,memory.free', '--format=csv,noheader,nounits']
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: patienceMs })
    return readNvidiaMemory(stdout)
  } catch {
    // Not installed, or without a card.
    return []
  }
}

/** @param text a line `total, free` in MiB for each card */
export function readNvidiaMemory(text: string): AdapterMemory[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s*,\s*(\d+)\s*$/.exec(line)
    if (match === null) return []
    const [totalBytes, freeBytes] = [Number(match[1]) * 2 ** 20, Number(match[2]) * 2 ** 20]
    return [{ totalBytes, freeBytes }]
  })
}

/** The files of Linux' amdgpu driver, in bytes. */
async function amdMemory(root = '/sys/class/drm'): Promise<AdapterMemory[]> {
  const names = await readdir(root).catch(() => [])
  const cards = names.filter((name) => /^card\d+$/.test(name))
  const found = await Promise.all(
    cards.map(async (card) => {
      const read = (name: string) => readNumber(join(root, card, 'device', name))
      const [total, used] = [await read('mem_info_vram_total'), await read('mem_info_vram_used')]
      if (total === undefined || used === undefined) return []
      return [{ totalBytes: total, freeBytes: total - used }]
    }),
  )
  return found.flat()
}

async function readNumber(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return /^\d+\s*$/.test(text) ? Number(text) : undefined
}
