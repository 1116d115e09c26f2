import type { RecommendedRules } from '../../../../../shared/api/request/preset.ts'
import { rulesText } from './recommended.ts'
import { createColumn, type SettingsColumn } from './settings-column.ts'
import { type Column, settingsRows } from './settings-rows.ts'

export interface SettingsForm extends Readonly<Record<Column, SettingsColumn>> {
  /** Offers the settings recommended for the model; undefined if there are none. */
  readonly recommend: (rules: RecommendedRules | undefined) => void
}

/** Fills `parent` with the settings of both columns. */
export function createSettingsForm(parent: HTMLElement, onChange: () => void): SettingsForm {
  const rows = settingsRows()
  const { system, preset, numbers, format, schema } = rows
  const inOrder = [system, preset, ...numbers, format, schema]
  parent.append(...inOrder.map(({ element }) => element))
  let recommended: RecommendedRules | undefined
  const A = createColumn(rows, 0, () => recommended)
  const B = createColumn(rows, 1, () => recommended)
  parent.addEventListener('input', onChange)
  parent.addEventListener('change', onChange)
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
