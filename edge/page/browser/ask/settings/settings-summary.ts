import type { Settings } from '../question.ts'
import { numberFields } from './settings-fields.ts'

/** A short text of what differs from the defaults. */
export function summaryOf(settings: Settings): string {
  const numbers = numberFields
    .filter(({ name }) => settings[name] !== undefined)
    .map(({ name, label }) => `${label.toLowerCase()} ${settings[name]}`)
  const format = { json_object: 'JSON', json_schema: 'JSON schema' } as const
  return [
    ...(settings.preset === 'model' ? ['the model’s defaults'] : []),
    ...numbers,
    ...(settings.response_format ? [format[settings.response_format.type]] : []),
    ...(settings.system_prompt === undefined ? [] : ['system prompt']),
  ].join(', ')
}
