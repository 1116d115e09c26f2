import type { RecommendedRules } from '../../../../../shared/api/request/preset.ts'
import type { Settings } from '../question.ts'
import {
  checkSchema,
  type ColumnFields,
  readFields,
  showStandards,
  writeFields,
} from './column-fields.ts'
import type { Row, SettingsRows } from './settings-rows.ts'

/** The fields of one setting, `A` or `B`. */
export interface SettingsColumn {
  readonly read: () => Settings
  readonly write: (settings: Settings) => void
  /** Whether it is visible and validated. */
  readonly use: (isUsed: boolean) => void
  /** Shows the fields that are currently in effect. */
  readonly show: () => void
}

/** @param recommended what the model's authors recommend, if known */
export function createColumn(
  rows: SettingsRows,
  index: number,
  recommended: () => RecommendedRules | undefined,
): SettingsColumn {
  const fields = fieldsOf(rows, index)
  let isUsed = true
  const show = () => {
    for (const field of [fields.system, ...fields.numbers, fields.format]) {
      showField(field, isUsed)
    }
    showField(fields.preset, isUsed && recommended() !== undefined)
    showStandards(fields, recommended())
    showField(fields.schema, isUsed && fields.format.value === 'json_schema')
    rows.schema.element.hidden = rows.schema.fields.every((field) => field.hidden)
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

function fieldsOf(rows: SettingsRows, index: number): ColumnFields {
  const field = ({ fields }: Row) => fields[index]!
  return {
    system: field(rows.system) as HTMLTextAreaElement,
    preset: field(rows.preset) as HTMLSelectElement,
    numbers: rows.numbers.map((row) => field(row) as HTMLInputElement),
    format: field(rows.format) as HTMLSelectElement,
    schema: field(rows.schema) as HTMLTextAreaElement,
  }
}

/** A hidden field is not validated. */
function showField(field: HTMLElement & { disabled: boolean }, isShown: boolean): void {
  field.hidden = field.disabled = !isShown
}
