import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { weightFileNames } from '../checkpoint/checkpoint.ts'
import type { HubName } from './hub-name.ts'
import { requiredFiles } from './list-model.ts'

const commitPattern = /^[\da-f]{40}$/

/**
 * The snapshot of a model downloaded by the hub's own tools: `models--owner--name/snapshots/<commit>`, with
 * `refs/<revision>` naming the commit (huggingface.co/docs/huggingface_hub, "Manage the cache").
 * @returns its folder, when all required files are there
 */
export async function findInHubCache(
  cacheDir: string,
  { repo, revision }: HubName,
): Promise<string | undefined> {
  const folder = join(cacheDir, `models--${repo.replace('/', '--')}`)
  const commit = commitPattern.test(revision)
    ? revision
    : await readFile(join(folder, 'refs', revision), 'utf8').catch(() => undefined)
  if (commit === undefined || !commitPattern.test(commit.trim())) return undefined
  const snapshot = join(folder, 'snapshots', commit.trim())
  return (await hasAllFiles(snapshot)) ? snapshot : undefined
}

/** Files in a snapshot are links to blobs; a link to a missing blob does not exist. */
async function hasAllFiles(folder: string): Promise<boolean> {
  const weights = await weightFileNames(folder).catch(() => undefined)
  if (weights === undefined) return false
  return [...requiredFiles, ...weights].every((name) => existsSync(join(folder, name)))
}
