import { el } from '../../dom.ts'
import { numberFields } from './settings-fields.ts'

export type Column = 'A' | 'B'
const columns: readonly Column[] = ['A', 'B']

/** One row of the form: the label, then the field of each column. */
export interface Row {
  readonly element: HTMLElement
  readonly hint: HTMLElement
  readonly fields: readonly HTMLElement[]
}

export interface SettingsRows {
  readonly system: Row
  readonly preset: Row
  /** In the order of `numberFields`. */
  readonly numbers: readonly Row[]
  readonly format: Row
  readonly schema: Row
}

const exampleSchema = '{"type": "object", "properties": {"color": {"type": "string"}}}'

/** The rows of the form, in the order in which they are shown. */
export function settingsRows(): SettingsRows {
  return {
    system: row('System prompt', 'Instructions for every answer', (attributes) =>
      el('textarea', { rows: 2, placeholder: 'the model’s own', ...attributes }),
    ),
    preset: choiceRow('Defaults', '', { server: 'Server’s', model: 'Model’s' }),
    numbers: numberRows(),
    format: choiceRow('Format', 'Text, or JSON by construction', {
      text: 'Text',
      json_object: 'JSON',
      json_schema: 'JSON schema',
    }),
    schema: row('JSON schema', 'The answer will match it', (attributes) =>
      el('textarea', {
        rows: 4,
        spellcheck: 'false',
        class: 'code',
        placeholder: exampleSchema,
        ...attributes,
      }),
    ),
  }
}

function numberRows(): readonly Row[] {
  return numberFields.map(({ label, hint, min, max, whole }) =>
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
}

/** @param choices texts by value */
function choiceRow(label: string, hint: string, choices: Readonly<Record<string, string>>): Row {
  const options = () =>
    Object.entries(choices).map(([value, text]) => el('option', { value }, text))
  return row(label, hint, (attributes) => el('select', attributes, ...options()))
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
  return { element, hint: text, fields }
}
