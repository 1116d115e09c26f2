import { el } from '../../dom.ts'
import type { ResponseFormat, Settings } from '../question.ts'
import { numberFields } from './settings-fields.ts'

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] }

/** The fields of one setting, `A` or `B`. */
export interface SettingsColumn {
  readonly read: () => Settings
  readonly write: (settings: Settings) => void
  /** Whether it is seen and checked. */
  readonly use: (isUsed: boolean) => void
}

/** One row of the form: the label, then the field of each column. */
interface Row {
  readonly element: HTMLElement
  readonly fields: readonly HTMLElement[]
}

export type Column = 'A' | 'B'
const columns: readonly Column[] = ['A', 'B']

/** Fills `parent` with the settings of both columns. */
export function createSettingsForm(
  parent: HTMLElement,
  onChange: () => void,
): Record<Column, SettingsColumn> {
  const system = row('System prompt', 'Instructions for every answer', (attributes) =>
    el('textarea', { rows: 2, placeholder: 'the model’s own', ...attributes }),
  )
  const numbers = numberFields.map(({ label, hint, standard, min, max, whole }) =>
    row(label, hint, (attributes) =>
      el('input', {
        type: 'number',
        inputmode: whole ? 'numeric' : 'decimal',
        step: whole ? 1 : 'any',
        min,
        max,
        placeholder: standard,
        ...attributes,
      }),
    ),
  )
  const format = row('Format', 'Text, or JSON by construction', (attributes) =>
    el(
      'select',
      attributes,
      el('option', { value: 'text' }, 'Text'),
      el('option', { value: 'json_object' }, 'JSON'),
      el('option', { value: 'json_schema' }, 'JSON schema'),
    ),
  )
  const schema = row('JSON schema', 'The answer will match it', (attributes) =>
    el('textarea', {
      rows: 4,
      spellcheck: 'false',
      class: 'code',
      placeholder: exampleSchema,
      ...attributes,
    }),
  )
  const rows = [system, ...numbers, format, schema]
  parent.append(...rows.map(({ element }) => element))
  const column = (index: number): SettingsColumn => {
    const text = (from: Row) => from.fields[index] as HTMLTextAreaElement
    const fields: ColumnFields = {
      system: text(system),
      numbers: numbers.map((from) => from.fields[index] as HTMLInputElement),
      format: format.fields[index] as HTMLSelectElement,
      schema: text(schema),
    }
    let isUsed = true
    const show = () => {
      for (const field of [fields.system, ...fields.numbers, fields.format]) {
        field.hidden = field.disabled = !isUsed
      }
      fields.schema.hidden = fields.schema.disabled =
        !isUsed || fields.format.value !== 'json_schema'
      schema.element.hidden = schema.fields.every((field) => field.hidden)
      checkSchema(fields.schema)
    }
    fields.format.addEventListener('change', show)
    fields.schema.addEventListener('input', show)
    return {
      read: () => readFields(fields),
      write(settings) {
        writeFields(fields, settings)
        show()
      },
      use(isWanted) {
        isUsed = isWanted
        show()
      },
    }
  }
  parent.addEventListener('input', onChange)
  parent.addEventListener('change', onChange)
  return { A: column(0), B: column(1) }
}

const exampleSchema = '{"type": "object", "properties": {"color": {"type": "string"}}}'

interface ColumnFields {
  readonly system: HTMLTextAreaElement
  /** In the order of `numberFields`. */
  readonly numbers: readonly HTMLInputElement[]
  readonly format: HTMLSelectElement
  readonly schema: HTMLTextAreaElement
}

function row(
  label: string,
  hint: string,
  make: (attributes: Record<string, string>) => HTMLElement,
): Row {
  const id = `setting-${label.toLowerCase().replaceAll(' ', '-')}`
  const fields = columns.map((column) =>
    make({
      id: `${id}-${column}`,
      'data-column': column,
      'aria-labelledby': `${id} column-${column}`,
      'aria-describedby': `${id}-hint`,
    }),
  )
  const name = el('label', { id, for: `${id}-A` }, label)
  const text = el('span', { class: 'hint', id: `${id}-hint` }, hint)
  const element = el(
    'div',
    { class: 'row' },
    el('div', { class: 'row-name' }, name, text),
    ...fields,
  )
  return { element, fields }
}

function readFields({ system, numbers, format, schema }: ColumnFields): Settings {
  const settings: Writable<Settings> = {}
  if (system.value.trim() !== '') settings.system_prompt = system.value
  for (const [index, { name }] of numberFields.entries()) {
    const { value, valueAsNumber } = numbers[index]!
    if (value !== '') settings[name] = valueAsNumber
  }
  const wanted = formatOf(format.value, schema.value)
  if (wanted !== undefined) settings.response_format = wanted
  return settings
}

function writeFields({ system, numbers, format, schema }: ColumnFields, settings: Settings): void {
  system.value = settings.system_prompt ?? ''
  for (const [index, { name }] of numberFields.entries()) {
    numbers[index]!.value = String(settings[name] ?? '')
  }
  const { response_format: wanted } = settings
  format.value = wanted?.type ?? 'text'
  if (wanted?.type === 'json_schema') {
    schema.value = JSON.stringify(wanted.json_schema.schema, null, 2)
  }
}

function formatOf(type: string, schema: string): ResponseFormat | undefined {
  if (type === 'json_object') return { type }
  if (type !== 'json_schema') return undefined
  return { type, json_schema: { name: 'answer', schema: parsed(schema) } }
}

/** The form is not sent while this field is not valid. */
function checkSchema(field: HTMLTextAreaElement): void {
  const isRight = field.value.trim() !== '' && parsed(field.value) !== undefined
  field.setCustomValidity(isRight ? '' : 'This is not JSON.')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** What differs from the defaults, in a few words. */
export function summaryOf(settings: Settings): string {
  const numbers = numberFields
    .filter(({ name }) => settings[name] !== undefined)
    .map(({ name, label }) => `${label.toLowerCase()} ${settings[name]}`)
  const format = { json_object: 'JSON', json_schema: 'JSON schema' } as const
  return [
    ...numbers,
    ...(settings.response_format ? [format[settings.response_format.type]] : []),
    ...(settings.system_prompt === undefined ? [] : ['system prompt']),
  ].join(', ')
}
