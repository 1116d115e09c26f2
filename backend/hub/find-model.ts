import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DownloadModelOptions } from './download-model.ts'
import { findInHubCache } from './hub-cache.ts'
import { HubError } from './hub-error.ts'
import { folderNameOf, parseHubName, type ModelPart } from './hub-name.ts'
import type { HubSettings } from './hub-settings.ts'

/** The download code, with its HTTP client, is loaded only for a name on the hub. */
const hub = () => import('./download-model.ts')

interface FindOptions extends DownloadModelOptions {
  readonly settings: HubSettings
}

interface LocalFolders {
  readonly checkpointsDir: string
  readonly cacheDir: string
  /** Which part of the model is wanted; all of it by default. */
  readonly part?: ModelPart
}

/**
 * The folder on this machine that MODEL_PATH refers to: the folder it names; or, for a name on the hub, the one this
 * server has downloaded, or a snapshot in the hub's own cache.
 * @returns undefined for a name on the hub that is not on this machine
 */
export async function findLocalModel(
  modelPath: string,
  { checkpointsDir, cacheDir, part = 'whole' }: LocalFolders,
): Promise<string | undefined> {
  const name = parseHubName(modelPath)
  // `models/misspelt` next to a folder `models` is a path, not a model of an owner of that name.
  const isPath = existsSync(modelPath) || existsSync(dirname(modelPath))
  if (name === undefined || isPath) return modelPath
  const { readHubRecord } = await hub()
  // A complete model also serves if a part is enough.
  for (const enough of new Set<ModelPart>(['whole', part])) {
    const own = join(checkpointsDir, folderNameOf(name, enough))
    if ((await readHubRecord(own)) !== undefined) return own
  }
  return findInHubCache(cacheDir, name)
}

/**
 * The same, but downloads a missing model.
 * @throws {HubError} when downloading is forbidden or fails
 */
export async function findModel(modelPath: string, options: FindOptions): Promise<string> {
  const { settings, checkpointsDir, part = 'whole' } = options
  const { cacheDir, offline } = settings
  const local = await findLocalModel(modelPath, { checkpointsDir, cacheDir, part })
  if (local !== undefined) return local
  try {
    if (offline) throw new HubError('HF_HUB_OFFLINE forbids downloading it')
    const { downloadModel } = await hub()
    return await downloadModel(parseHubName(modelPath)!, options)
  } catch (cause) {
    if (!(cause instanceof HubError)) throw cause
    const problem = `there is no folder ${modelPath}, and as a model on the hub: ${cause.message}`
    throw new HubError(problem, { cause })
  }
}
