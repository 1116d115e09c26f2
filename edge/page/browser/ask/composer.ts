import { byId } from '../dom.ts'
import type { Picture, Question, Settings } from './question.ts'
import { createPictureList, type PictureList } from './pictures/picture-list.ts'
import { createSettingsForm, type SettingsForm } from './settings/settings-form.ts'
import { summaryOf } from './settings/settings-summary.ts'

export interface Composer {
  readonly form: HTMLFormElement
  /** The current question, once for each setting being compared. */
  readonly questions: () => readonly [Question, ...Question[]]
  readonly write: (
    prompt: string,
    pictures: readonly Picture[],
    settings: readonly Settings[],
  ) => void
  readonly pictures: PictureList
  /** Offers the settings recommended for the model. */
  readonly recommend: SettingsForm['recommend']
}

/** The left side of the page: pictures, prompt and settings. */
export function createComposer(say: (text: string) => void): Composer {
  const form = byId('question', HTMLFormElement)
  const prompt = byId('prompt', HTMLTextAreaElement)
  const compare = byId('compare', HTMLInputElement)
  const summary = byId('settings-summary', HTMLElement)
  const pictures = createPictureList(say)
  const showSummary = () => (summary.textContent = summaryOf(columns.A.read()))
  const columns = createSettingsForm(byId('settings-rows', HTMLElement), showSummary)
  const settings = (): [Settings, ...Settings[]] =>
    compare.checked ? [columns.A.read(), columns.B.read()] : [columns.A.read()]
  const showCompared = () => {
    columns.B.use(compare.checked)
    form.classList.toggle('comparing', compare.checked)
    if (compare.checked) byId('settings', HTMLDetailsElement).open = true
  }
  compare.addEventListener('change', () => {
    if (compare.checked) columns.B.write(columns.A.read())
    showCompared()
  })
  columns.A.use(true)
  showCompared()
  return {
    form,
    pictures,
    questions() {
      const question = (one: Settings) => ({
        prompt: prompt.value,
        pictures: pictures.pictures(),
        settings: one,
      })
      const [first, ...others] = settings()
      return [question(first), ...others.map(question)]
    },
    write(text, chosen, [first = {}, second]) {
      prompt.value = text
      pictures.replace(chosen)
      columns.A.write(first)
      columns.B.write(second ?? {})
      compare.checked = second !== undefined
      showCompared()
      showSummary()
    },
    recommend(rules) {
      columns.recommend(rules)
      showSummary()
    },
  }
}
