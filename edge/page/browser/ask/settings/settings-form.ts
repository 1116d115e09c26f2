import type { RecommendedRules } from '../../../../../shared/api/request/preset.ts'
import { el } from '../../dom.ts'
import type { Settings } from '../question.ts'
import {
  checkSchema,
  type ColumnFields,
  readFields,
  showStandards,
  writeFields,
} from './column-fields.ts'
import { rulesText } from './recommended.ts'
import { numberFields } from './settings-fields.ts'

/** The fields of one setting, `A` or `B`. */
interface SettingsColumn {
  readonly read: () => Settings
  readonly write: (settings: Settings) => void
  /** Whether it is seen and checked. */
  readonly use: (isUsed: boolean) => void
}

export interface SettingsForm extends Readonly<Record<Column, SettingsColumn>> {
  /** Offers what is recommended for the model; undefined: nothing is. */
  readonly recommend: (rules: RecommendedRules | undefined) => void
}

/** One row of the form: the label, then the field of each column. */
interface Row {
  readonly element: HTMLElement
  readonly hint: HTMLElement
  readonly fields: readonly HTMLElement[]
}

type Column = 'A' | 'B'
const columns: readonly Column[] = ['A', 'B']

/** Fills `parent` with the settings of both columns. */
export function createSettingsForm(parent: HTMLElement, onChange: () => void): SettingsForm {
  const system = row('System prompt', 'Instructions for every answer', (attributes) =>
    el('textarea', { rows: 2, placeholder: 'the model’s own', ...attributes }),
  )
  const preset = row('Defaults', '', (attributes) =>
    el(
      'select',
      attributes,
      el('option', { value: 'server' }, 'Server’s'),
      el('option', { value: 'model' }, 'Model’s'),
    ),
  )
  const numbers = numberFields.map(({ label, hint, min, max, whole }) =>
    row(label, hint, (attributes) =>
      el('input', {
        type: 'number',
        inputmode: whole ? 'numeric' : 'decimal',
        step: whole ? 1 : 'any',
        min,
        max,
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
  const rows = [system, preset, ...numbers, format, schema]
  parent.append(...rows.map(({ element }) => element))
  let recommended: RecommendedRules | undefined
  const column = (index: number): SettingsColumn & { readonly show: () => void } => {
    const text = (from: Row) => from.fields[index] as HTMLTextAreaElement
    const fields: ColumnFields = {
      system: text(system),
      preset: preset.fields[index] as HTMLSelectElement,
      numbers: numbers.map((from) => from.fields[index] as HTMLInputElement),
      format: format.fields[index] as HTMLSelectElement,
      schema: text(schema),
    }
    let isUsed = true
    const show = () => {
      for (const field of [fields.system, ...fields.numbers, fields.format]) {
        field.hidden = field.disabled = !isUsed
      }
      fields.preset.hidden = fields.preset.disabled = !isUsed || recommended === undefined
      showStandards(fields, recommended)
      fields.schema.hidden = fields.schema.disabled =
        !isUsed || fields.format.value !== 'json_schema'
      schema.element.hidden = schema.fields.every((field) => field.hidden)
      checkSchema(fields.schema)
    }
    for (const choice of [fields.format, fields.preset]) choice.addEventListener('change', show)
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
      show,
    }
  }
  parent.addEventListener('input', onChange)
  parent.addEventListener('change', onChange)
  const [A, B] = [column(0), column(1)]
  const recommend = (rules: RecommendedRules | undefined) => {
    recommended = rules
    preset.element.hidden = rules === undefined
    if (rules !== undefined) preset.hint.textContent = `The model’s: ${rulesText(rules)}`
    A.show()
    B.show()
  }
  recommend(undefined)
  return { A, B, recommend }
}

const exampleSchema = '{"type": "object", "properties": {"color": {"type": "string"}}}'

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
  return { element, hint: text, fields }
}

/** What differs from the defaults, in a few words. */
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
