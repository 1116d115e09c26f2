import { basename, dirname, resolve } from 'node:path'

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

/** What a folder is called that could hold any model. */
const anyModel = /^(?:checkpoints?|hf|latest|main|models?|snapshot|weights)$/i

/** The names that may say which model it is: its own and, where any model could be called that, the one of the folder around it. */
export function modelNames(path: string): string[] {
  const name = modelName(path)
  return anyModel.test(name) ? [name, basename(dirname(resolve(path)))] : [name]
}
