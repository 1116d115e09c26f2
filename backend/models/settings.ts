import { join } from 'node:path'
import * as z from 'zod'
import { defaultModelPath, defaultStateDir } from '../../shared/node/settings/default-folders.ts'
import type { Environment } from '../../shared/node/settings/dot-env.ts'
import { parseEnvironment } from '../../shared/node/settings/environment.ts'
import { formChoiceOf, weightSettingsSchema } from '../model/convert/graphs/weight-settings.ts'
import { hubSettingsOf, hubSettingsSchema } from '../hub/hub-settings.ts'

/** The backend's settings that select the model, its form and its folders; the others do not matter here. */
const schema = z.object({
  STATE_DIR: z.string().default(defaultStateDir),
  MODEL_PATH: z.string().default(defaultModelPath),
  ...weightSettingsSchema.shape,
  ...hubSettingsSchema.shape,
})

export type ModelSettings = ReturnType<typeof parseModelSettings>

/** @throws {ConfigError} naming every bad variable */
export function parseModelSettings(environment: Environment) {
  const settings = parseEnvironment(schema, environment)
  return {
    modelPath: settings.MODEL_PATH,
    choice: formChoiceOf(settings),
    checkpointsDir: join(settings.STATE_DIR, 'checkpoints'),
    modelsDir: join(settings.STATE_DIR, 'models'),
    hub: hubSettingsOf(settings),
  }
}
