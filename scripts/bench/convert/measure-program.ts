import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const reporter = pathToFileURL(fileURLToPath(new URL('report-usage.mjs', import.meta.url))).href

/** What a program took. Times in seconds, memory in bytes. */
export interface Usage {
  readonly wall: number
  readonly user: number
  readonly system: number
  readonly memory: number
}

interface Program {
  /** Folder of the code: this checkout, or another one to compare with. */
  readonly checkout: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Runs `describe model ...`. @throws {Error} when it fails */
export async function measureModels(program: Program): Promise<Usage> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-'))
  const usageFile = join(folder, 'usage.json')
  const main = join(program.checkout, 'backend/models/main.ts')
  const start = performance.now()
  const child = spawn(process.execPath, ['--import', reporter, main, ...program.arguments], {
    env: { ...process.env, ...program.environment, USAGE_FILE: usageFile },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    const wall = (performance.now() - start) / 1000
    if (code !== 0)
      throw new Error(`describe model ${program.arguments.join(' ')} ended with ${code}`)
    return { wall, ...usageOf(await readFile(usageFile, 'utf8')) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Node reports microseconds and kilobytes. */
function usageOf(text: string): Omit<Usage, 'wall'> {
  const usage = JSON.parse(text) as NodeJS.ResourceUsage
  return {
    user: usage.userCPUTime / 1e6,
    system: usage.systemCPUTime / 1e6,
    memory: usage.maxRSS * 1024,
  }
}
