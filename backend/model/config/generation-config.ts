import * as z from 'zod'
import type { RecommendedRules } from '../../../shared/api/request/preset.ts'
import { samplingRules } from '../../../shared/api/request/sampling-fields.ts'
import { readOptionalModelJson, unusableFile } from './read-model-file.ts'

const generationConfigFile = 'generation_config.json'

/** What a checkpoint's authors recommend for generating with it. */
export interface GenerationConfig {
  /** Ids that end an answer, beside those of the chat template. */
  readonly stopIds: readonly number[]
  readonly recommended: RecommendedRules
}

/** A rule as it may stand in the file; null counts as absent. */
const stated = <Schema extends z.ZodType>(rule: z.ZodDefault<Schema>) => rule.unwrap().nullish()

const tokenId = z.int().min(0)

const fileSchema = z.object({
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  /** False takes the most likely tokens, whatever the rules say. */
  do_sample: z.boolean().nullish(),
  // The rules that Transformers has too, by the same names.
  temperature: stated(samplingRules.temperature),
  top_p: stated(samplingRules.top_p),
  top_k: stated(samplingRules.top_k),
  min_p: stated(samplingRules.min_p),
  repetition_penalty: stated(samplingRules.repetition_penalty),
})

/**
 * Reads generation_config.json, which not every checkpoint has.
 * @param vocabSize number of ids of the model
 * @throws {CheckpointError} naming every bad field
 */
export async function readGenerationConfig(
  modelFolder: string,
  vocabSize: number,
): Promise<GenerationConfig> {
  const file = await readOptionalModelJson(modelFolder, generationConfigFile, fileSchema)
  const { eos_token_id: eos, do_sample: isDrawn, ...recommended } = file ?? {}
  const stopIds = [eos ?? []].flat()
  const unknown = stopIds.find((id) => id >= vocabSize)
  if (unknown !== undefined) {
    const problem = `eos_token_id: the model has no token ${unknown}, only ${vocabSize}`
    throw unusableFile(modelFolder, generationConfigFile, problem)
  }
  if (isDrawn === false) return { stopIds, recommended: { temperature: 0 } }
  const known = Object.entries(recommended).filter(([, value]) => value != null)
  return { stopIds, recommended: Object.fromEntries(known) }
}
