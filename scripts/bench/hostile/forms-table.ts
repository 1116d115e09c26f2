import { markdownTable } from '../../performance/document.ts'
import { formGroups } from './form-kinds.ts'
import { type FormRow, type FormTarget, measureForms } from './measure-forms.ts'

/** Bytes of the forms: those of the first ones that blocked an edge. */
const sizes = [24_000, 70_000]

/** Milliseconds within which such a form is to be answered. */
const targetMs = 50

/** Measures hostile forms. @returns a table, and how many missed the target */
export async function tableOfForms(
  target: FormTarget,
  rounds: number,
  only: string,
): Promise<string> {
  const rows: FormRow[] = []
  for (const group of formGroups) {
    const hostile = group.hostile.filter(({ name }) => name.includes(only))
    if (hostile.length === 0) continue
    for (const bytes of sizes) {
      rows.push(...(await measureForms(target, rounds, { ...group, hostile }, bytes)))
    }
  }
  return `${markdownTable(header, rows.map(cellsOf))}\n\n${verdictOn(rows)}`
}

const header = ['form', 'size', 'best', 'median', 'worst', 'ratio', 'answer']

function cellsOf({ name, bytes, bestMs, medianMs, worstMs, ratio, outcome }: FormRow): string[] {
  const times = [bestMs, medianMs, worstMs].map((ms) => `${ms.toFixed(1)} ms`)
  return [name, `${(bytes / 1e3).toFixed(0)} KB`, ...times, ratio.toFixed(2), outcome]
}

function verdictOn(rows: readonly FormRow[]): string {
  const slow = rows.filter(({ medianMs }) => medianMs > targetMs).length
  return `${slow} of ${rows.length} took more than ${targetMs} ms (median)`
}
