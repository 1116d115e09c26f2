import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../../shared/progress/amounts.ts'
import { readHubRecord } from '../hub/download-model.ts'
import { readModelConfig } from '../model/config/model-config.ts'
import { readManifest } from '../model/convert/manifest.ts'
import type { ModelSettings } from './settings.ts'

/** The models on this machine, as lines of text. */
export async function listModels(settings: ModelSettings): Promise<string[]> {
  const { checkpointsDir, modelsDir, hub } = settings
  return [
    `Downloaded, in ${checkpointsDir}:`,
    ...indented(await describeEach(checkpointsDir, describeCheckpoint)),
    `Converted, in ${modelsDir}:`,
    ...indented(await describeEach(modelsDir, describeConverted)),
    `In the cache of Hugging Face's tools, ${hub.cacheDir}:`,
    ...indented(await describeEach(hub.cacheDir, describeCached)),
  ]
}

function indented(lines: readonly string[]): string[] {
  return lines.length === 0 ? ['  nothing'] : lines.map((line) => `  ${line}`)
}

/** A line for each folder in `parent` that `describe` recognises. */
async function describeEach(
  parent: string,
  describe: (folder: string) => Promise<string | undefined>,
): Promise<string[]> {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => [])
  const lines = []
  for (const name of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
    const line = await describe(join(parent, name))
    if (line !== undefined) lines.push(`${name}  ${line}`)
  }
  return lines.toSorted()
}

async function describeCheckpoint(folder: string): Promise<string> {
  const size = formatBytes(await sizeOf(folder))
  const record = await readHubRecord(folder)
  if (record === undefined) return `${size} on disk, incomplete: pull it again`
  return `${size}, ${record.repo} at commit ${record.commit}`
}

async function describeConverted(folder: string): Promise<string> {
  const size = formatBytes(await sizeOf(folder))
  const manifest = await readManifest(folder)
  if (manifest === undefined) return `${size} on disk, not usable`
  return `${size}, ${manifest.weights}`
}

async function describeCached(folder: string): Promise<string | undefined> {
  const snapshots = join(folder, 'snapshots')
  for (const commit of await readdir(snapshots).catch(() => [])) {
    const config = await readModelConfig(join(snapshots, commit)).catch(() => undefined)
    if (config !== undefined) return `commit ${commit}`
  }
  return undefined
}

/** Bytes that the files of a folder occupy on the disk; a partial file has holes, which do not count. */
async function sizeOf(folder: string): Promise<number> {
  /** Bytes per unit of a file's `blocks` (POSIX stat). */
  const blockBytes = 512
  const names = await readdir(folder)
  const stats = await Promise.all(names.map((name) => stat(join(folder, name))))
  return stats.reduce((sum, { size, blocks }) => sum + Math.min(size, blocks * blockBytes), 0)
}
