import { stat } from 'node:fs/promises'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { readModelConfig } from './model-config.ts'

/** `owner/name`, as the hub has them, or its address in a browser. */
const hubName = /^(?:https:\/\/huggingface\.co\/)?([\w-][\w.-]*\/[\w-][\w.-]*)$/

/**
 * Says first, and in words of its own, what is wrong most often with the folder of a checkpoint.
 * @throws {CheckpointError} when there is no such folder, or no Kimi-VL in it
 */
export async function checkModelFolder(modelFolder: string): Promise<void> {
  const found = await stat(modelFolder).catch(() => undefined)
  if (found === undefined) throw new CheckpointError(missingFolder(modelFolder))
  if (!found.isDirectory()) throw new CheckpointError(`${modelFolder} is not a folder`)
  await readModelConfig(modelFolder)
}

function missingFolder(modelFolder: string): string {
  const missing = `there is no folder ${modelFolder}`
  const name = hubName.exec(modelFolder)?.[1]
  if (name === undefined) return missing
  return `${missing}. It looks like a name on Hugging Face: download it with "git clone https://huggingface.co/${name}" (Git LFS installed) and set MODEL_PATH to the folder`
}
