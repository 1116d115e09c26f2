import { byId, el } from '../../dom.ts'
import { copyFrom } from '../copy.ts'
import { type Question, requestOf } from '../question.ts'
import { languages } from './snippets.ts'

/** The dialog that shows a question as code. @returns a function that opens it */
export function createSnippetDialog(): (question: Question) => void {
  const dialog = byId('code', HTMLDialogElement)
  const code = byId('code-text', HTMLElement)
  const note = byId('code-note', HTMLElement)
  const copy = byId('code-copy', HTMLButtonElement)
  let write = (_language: (typeof languages)[number]) => ''
  const choices = languages.map((language, index) => {
    const input = el('input', { type: 'radio', name: 'language', value: language.name })
    input.checked = index === 0
    input.addEventListener('change', () => show(language))
    return { input, language }
  })
  byId('code-languages', HTMLElement).append(
    ...choices.map(({ input, language }) => el('label', { class: 'choice' }, input, language.name)),
  )
  const show = (language: (typeof languages)[number]) => {
    code.textContent = write(language)
    note.textContent = `${language.note} The key is read from DESCRIBE_API_KEY.`
    copy.textContent = 'Copy'
  }
  copy.addEventListener('click', () => void copyFrom(code, copy))
  return (question) => {
    const request = requestOf(question)
    write = (language) => language.write(request, location.origin)
    show(choices.find(({ input }) => input.checked)!.language)
    dialog.showModal()
  }
}
