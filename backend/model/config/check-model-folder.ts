import { stat } from 'node:fs/promises'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { readModelConfig } from './model-config.ts'

/**
 * Checks for the most common problems with a checkpoint folder first, each with a message of its own.
 * @throws {CheckpointError} when the folder does not exist or holds no Kimi-VL model
 */
export async function checkModelFolder(modelFolder: string): Promise<void> {
  const found = await stat(modelFolder).catch(() => undefined)
  if (found === undefined) throw new CheckpointError(`there is no folder ${modelFolder}`)
  if (!found.isDirectory()) throw new CheckpointError(`${modelFolder} is not a folder`)
  await readModelConfig(modelFolder)
}
