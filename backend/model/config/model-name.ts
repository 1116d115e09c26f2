import { basename, resolve } from 'node:path'

/**
 * What a model is called: its folder's own name, whatever the folders around it are called; for a snapshot in the hub's cache,
 * models--owner--name/snapshots/<commit>, the model's name.
 * @param path of a folder, or a name on the hub
 */
export function modelName(path: string): string {
  const folder = resolve(path)
  const snapshot = /[\\/]models--([^\\/]+)[\\/]snapshots[\\/][^\\/]+$/.exec(folder)
  return snapshot?.[1] ?? basename(folder)
}
