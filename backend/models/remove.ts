import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { HubError } from '../hub/hub-error.ts'
import { folderNameOf, parseHubName } from '../hub/hub-name.ts'
import type { ModelSettings } from './settings.ts'

/**
 * Removes what this server has stored of a model: its download, complete or not, and its converted forms. The
 * operator's own checkpoints and the cache of the hub's tools are left alone.
 * @param model as `list` shows it, or a name on the hub
 * @returns the folders removed
 * @throws {HubError} when there is nothing of that name
 */
export async function removeModel(
  model: string,
  { checkpointsDir, modelsDir }: Pick<ModelSettings, 'checkpointsDir' | 'modelsDir'>,
): Promise<string[]> {
  const hubName = parseHubName(model)
  const name = hubName === undefined ? basename(model) : folderNameOf(hubName)
  const isConverted = (folder: string) => folder === name || folder.startsWith(`${name}-onnx-`)
  const downloads = ['', '.partial', '.small', '.small.partial'].map((end) => name + end)
  const isDownload = (folder: string) => downloads.includes(folder)
  const folders = [
    ...(await foldersOf(checkpointsDir, isDownload)),
    ...(await foldersOf(modelsDir, isConverted)),
  ]
  if (folders.length === 0) {
    throw new HubError(`there is no model ${model} in ${checkpointsDir} or ${modelsDir}`)
  }
  for (const folder of folders) await rm(folder, { recursive: true })
  return folders
}

async function foldersOf(parent: string, isMeant: (name: string) => boolean): Promise<string[]> {
  const names = await readdir(parent).catch(() => [])
  return names.filter(isMeant).map((name) => join(parent, name))
}
