import { z } from 'zod'
import { listItems } from '../../../../shared/settings/list.ts'
import {
  blockSizes,
  components,
  weightFormNames,
  type Component,
  type FormChoice,
} from './weight-forms.ts'

/** Comma-separated, such as `vision,head`; empty for none. */
const exactSetting = z
  .string()
  .default('')
  .transform((text, context) => {
    const names = listItems(text)
    const unknown = names.find((name) => !(components as readonly string[]).includes(name))
    if (unknown !== undefined) {
      context.addIssue({
        code: 'custom',
        message: `expected some of ${components.join()}, received ${unknown}`,
      })
      return z.NEVER
    }
    return names as Component[]
  })

const blockSetting = z
  .enum(blockSizes.map(String))
  .transform((text) => blockSizes.find((size) => String(size) === text)!)
  .optional()

/** The settings that decide in which form a model is converted. */
export const weightSettingsSchema = z.object({
  WEIGHTS: z.enum(weightFormNames).default('q8'),
  EXACT_WEIGHTS: exactSetting,
  WEIGHTS_BLOCK: blockSetting,
})

export function formChoiceOf(settings: z.infer<typeof weightSettingsSchema>): FormChoice {
  return {
    weights: settings.WEIGHTS,
    exact: settings.EXACT_WEIGHTS,
    ...(settings.WEIGHTS_BLOCK && { blockSize: settings.WEIGHTS_BLOCK }),
  }
}
