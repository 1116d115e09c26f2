import { stat } from 'node:fs/promises'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { readModelConfig } from './model-config.ts'

/**
 * Says first, and in words of its own, what is wrong most often with the folder of a checkpoint.
 * @throws {CheckpointError} when there is no such folder, or no Kimi-VL in it
 */
export async function checkModelFolder(modelFolder: string): Promise<void> {
  const found = await stat(modelFolder).catch(() => undefined)
  if (found === undefined) throw new CheckpointError(`there is no folder ${modelFolder}`)
  if (!found.isDirectory()) throw new CheckpointError(`${modelFolder} is not a folder`)
  await readModelConfig(modelFolder)
}
