import { existsSync } from 'node:fs'
import path from 'node:path'
import { downloadModel, readHubRecord, type DownloadModelOptions } from './download-model.ts'
import { findInHubCache } from './hub-cache.ts'
import { HubError } from './hub-error.ts'
import { folderNameOf, parseHubName } from './hub-name.ts'
import type { HubSettings } from './hub-settings.ts'

interface FindOptions extends DownloadModelOptions {
  readonly settings: HubSettings
}

/**
 * The folder MODEL_PATH means: the one it names; or, given a name on the hub, the one that was downloaded, in the
 * hub's own cache or by this server, else downloaded now.
 * @returns MODEL_PATH itself when it is neither
 * @throws {HubError} when the download fails
 */
export async function findModel(modelPath: string, options: FindOptions): Promise<string> {
  const name = parseHubName(modelPath)
  if (name === undefined || existsSync(modelPath)) return modelPath
  const own = path.join(options.checkpointsDir, folderNameOf(name))
  if ((await readHubRecord(own)) !== undefined) return own
  const cached = await findInHubCache(options.settings.cacheDir, name)
  if (cached !== undefined) return cached
  try {
    if (options.settings.offline) throw new HubError('HF_HUB_OFFLINE forbids to download it')
    return await downloadModel(name, options)
  } catch (cause) {
    if (!(cause instanceof HubError)) throw cause
    const problem = `there is no folder ${modelPath}, and as a model on the hub: ${cause.message}`
    throw new HubError(problem, { cause })
  }
}
