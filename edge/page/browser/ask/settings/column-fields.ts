import type { RecommendedRules } from '../../../../../shared/api/request/preset.ts'
import type { ResponseFormat, Settings } from '../question.ts'
import { numberFields } from './settings-fields.ts'

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] }

/** The fields of one column. Hidden ones are ignored. */
export interface ColumnFields {
  readonly system: HTMLTextAreaElement
  /** Whose defaults apply where a field is empty: `server` or `model`. */
  readonly preset: HTMLSelectElement
  /** In the order of `numberFields`. */
  readonly numbers: readonly HTMLInputElement[]
  readonly format: HTMLSelectElement
  readonly schema: HTMLTextAreaElement
}

export function readFields({ system, preset, numbers, format, schema }: ColumnFields): Settings {
  const settings: Writable<Settings> = {}
  if (system.value.trim() !== '') settings.system_prompt = system.value
  if (!preset.hidden && preset.value === 'model') settings.preset = 'model'
  for (const [index, { name }] of numberFields.entries()) {
    const { value, valueAsNumber } = numbers[index]!
    if (value !== '') settings[name] = valueAsNumber
  }
  const wanted = formatOf(format.value, schema.value)
  if (wanted !== undefined) settings.response_format = wanted
  return settings
}

export function writeFields(fields: ColumnFields, settings: Settings): void {
  const { system, preset, numbers, format, schema } = fields
  system.value = settings.system_prompt ?? ''
  preset.value = settings.preset ?? 'server'
  for (const [index, { name }] of numberFields.entries()) {
    numbers[index]!.value = String(settings[name] ?? '')
  }
  const { response_format: wanted } = settings
  format.value = wanted?.type ?? 'text'
  if (wanted?.type === 'json_schema') {
    schema.value = JSON.stringify(wanted.json_schema.schema, null, 2)
  }
}

/** Shows which values apply where numbers are omitted. */
export function showStandards(
  { preset, numbers }: ColumnFields,
  recommended: RecommendedRules | undefined,
): void {
  const rules: Readonly<Record<string, number | undefined>> =
    preset.value === 'model' ? { ...recommended } : {}
  for (const [index, { name, standard }] of numberFields.entries()) {
    numbers[index]!.placeholder = String(rules[name] ?? standard)
  }
}

/** The form is not sent while this field is invalid. */
export function checkSchema(field: HTMLTextAreaElement): void {
  const isRight = field.value.trim() !== '' && parsed(field.value) !== undefined
  field.setCustomValidity(isRight ? '' : 'This is not JSON.')
}

function formatOf(type: string, schema: string): ResponseFormat | undefined {
  if (type === 'json_object') return { type }
  if (type !== 'json_schema') return undefined
  return { type, json_schema: { name: 'answer', schema: parsed(schema) } }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
