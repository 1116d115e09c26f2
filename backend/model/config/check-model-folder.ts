import { readdir, stat } from 'node:fs/promises'
import * as z from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { modelConfigFile, readModelConfig } from './model-config.ts'
import { readModelJson } from './read-model-file.ts'

/** A LoRA or the like, as PEFT saves it. */
const adapterFile = 'adapter_config.json'
const adapterSchema = z.object({
  base_model_name_or_path: z
    .string()
    .nullish()
    .transform((name) => name ?? 'another model'),
})

/**
 * Checks for the most common problems with a checkpoint folder first, each with a message of its own.
 * @throws {CheckpointError} when the folder does not exist or holds no Kimi-VL model
 */
export async function checkModelFolder(modelFolder: string): Promise<void> {
  const found = await stat(modelFolder).catch(() => undefined)
  if (found === undefined) throw new CheckpointError(`there is no folder ${modelFolder}`)
  if (!found.isDirectory()) {
    const is = isGguf(modelFolder)
      ? 'is a GGUF file; only the original form works, which is'
      : 'is not'
    throw new CheckpointError(`${modelFolder} ${is} a folder`)
  }
  const names = await readdir(modelFolder)
  if (!names.includes(modelConfigFile)) {
    await refuseOtherKinds(modelFolder, names)
    throw new CheckpointError(`${modelFolder} is not a model folder: it has no ${modelConfigFile}`)
  }
  await readModelConfig(modelFolder)
}

/** @throws {CheckpointError} when any of these files is missing, naming all that are */
export async function checkFilesPresent(
  modelFolder: string,
  required: readonly string[],
): Promise<void> {
  const names = await readdir(modelFolder)
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length === 0) return
  throw new CheckpointError(
    `the folder lacks ${missing.join(', ')}: download or copy all files of the model`,
  )
}

/** @param names of the files in the folder, `config.json` not among them @throws {CheckpointError} for a known kind */
async function refuseOtherKinds(modelFolder: string, names: readonly string[]): Promise<void> {
  if (names.includes(adapterFile)) {
    const { base_model_name_or_path: base } = await readModelJson(
      modelFolder,
      adapterFile,
      adapterSchema,
    )
    throw new CheckpointError(
      `${modelFolder} holds an adapter for ${base}, not a model: merge the two, and set MODEL_PATH to the merged model`,
    )
  }
  const gguf = names.find(isGguf)
  if (gguf === undefined) return
  throw new CheckpointError(
    `${modelFolder} holds ${gguf}, a model in llama.cpp's format; only the original format works`,
  )
}

function isGguf(name: string): boolean {
  return name.toLowerCase().endsWith('.gguf')
}
