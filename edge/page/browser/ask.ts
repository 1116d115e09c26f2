import { type AnswerPanel, createAnswerPanel, spokenEnd } from './ask/answer/answer-panel.ts'
import { createComposer } from './ask/composer.ts'
import { openHistory } from './ask/history/history-store.ts'
import { createHistoryView } from './ask/history/history-view.ts'
import { createKeyDialog } from './ask/key-dialog.ts'
import type { Picture, Question } from './ask/question.ts'
import type { AnswerRecord, HistoryEntry, KeptPicture } from './ask/history/record.ts'
import { runQuestion } from './ask/run.ts'
import { fetchRecommended } from './ask/settings/recommended.ts'
import { summaryOf } from './ask/settings/settings-summary.ts'
import { createSnippetDialog } from './ask/snippets/snippet-dialog.ts'
import { byId } from './dom.ts'
import { startTheme } from './theme.ts'

byId('incomplete', HTMLElement).remove()
startTheme()
const status = byId('status', HTMLElement)
const say = (text: string) => (status.textContent = text)
const keyDialog = createKeyDialog(() => void learnDefaults())
const showCode = createSnippetDialog()
const composer = createComposer(say)
const settingsView = byId('settings', HTMLDetailsElement)
const answers = byId('answers', HTMLElement)
const askButton = byId('ask', HTMLButtonElement)
const stopButton = byId('stop', HTMLButtonElement)
const panelActions = {
  showCode,
  enterKey: () => void keyDialog.open().then((isEntered) => (isEntered ? ask() : undefined)),
  askAgain: () => void ask(),
}
const panels = ['A', 'B'].map(() => createAnswerPanel(panelActions))
const history = await createHistoryView(await openHistory(), restore)

let running: AbortController | undefined

/** Asks the current question, once or, to compare settings, twice at the same time. */
async function ask(): Promise<void> {
  if (running !== undefined || !composer.form.reportValidity()) return
  if (keyDialog.key() === undefined && !(await keyDialog.open())) return
  const questions = composer.questions()
  running = new AbortController()
  const { signal } = running
  showRunning(true)
  try {
    showPanels(questions)
    answers.scrollIntoView({ block: 'nearest' })
    const records = await Promise.all(
      questions.map((question, at) => answer(question, panels[at]!, signal)),
    )
    await keep(entryOf(questions[0], records))
  } finally {
    running = undefined
    showRunning(false)
  }
}

/** The browser may have no storage left, or none for this origin. */
async function keep(entry: HistoryEntry): Promise<void> {
  try {
    await history.add(entry)
  } catch {
    composer.pictures.note('This question could not be kept: the browser has no room for it.')
  }
}

async function answer(
  question: Question,
  panel: AnswerPanel,
  signal: AbortSignal,
): Promise<AnswerRecord> {
  const record = await runQuestion(question, keyDialog.key(), signal, panel)
  panel.showEnd(record)
  say(spokenEnd(record))
  return record
}

function showPanels(questions: readonly Question[]): void {
  const shown = panels.slice(0, questions.length)
  answers.replaceChildren(...shown.map(({ element }) => element))
  answers.classList.toggle('both', shown.length > 1)
  for (const [at, panel] of shown.entries()) {
    const name = shown.length > 1 ? 'AB'[at] : undefined
    panel.begin(questions[at]!, name, summaryOf(questions[at]!.settings))
  }
}

/**
 * The running model's recommended settings matter only to users who open the settings, and requesting them requires a
 * key.
 */
async function learnDefaults(): Promise<void> {
  const key = keyDialog.key()
  if (settingsView.open && key !== undefined) composer.recommend(await fetchRecommended(key))
}

function showRunning(isRunning: boolean): void {
  // Hiding the focused button would lose the focus.
  const isFocused = [askButton, stopButton].includes(document.activeElement as HTMLButtonElement)
  askButton.hidden = isRunning
  stopButton.hidden = !isRunning
  if (isFocused) (isRunning ? stopButton : askButton).focus()
  if (isRunning) say('Asking')
}

function entryOf({ prompt, pictures }: Question, records: readonly AnswerRecord[]): HistoryEntry {
  const kept = pictures.map((picture): KeptPicture =>
    picture.kind === 'url'
      ? picture
      : { kind: 'file', name: picture.file.name, thumbnail: picture.thumbnail },
  )
  // Not crypto.randomUUID(), which is missing on pages without TLS.
  const id = `${Date.now()}-${Math.random()}`
  return { id, at: Date.now(), prompt, pictures: kept, answers: records }
}

/** Shows an earlier question with its answers. Of its pictures only URLs are kept, not files. */
function restore({ prompt, pictures, answers: records }: HistoryEntry): void {
  if (running !== undefined) return
  const urls = pictures.filter(
    (picture): picture is Picture & { kind: 'url' } => picture.kind === 'url',
  )
  composer.write(
    prompt,
    urls,
    records.map(({ settings }) => settings),
  )
  const names = pictures.flatMap((picture) => (picture.kind === 'file' ? [picture.name] : []))
  if (names.length > 0) {
    composer.pictures.note(
      `To ask this again, add ${names.join(', ')} again: pictures are not kept.`,
    )
  }
  showPanels(composer.questions())
  for (const [at, record] of records.entries()) panels[at]!.showEnd(record)
  answers.scrollIntoView({ block: 'nearest' })
  say('An earlier question is shown')
}

composer.form.addEventListener('submit', (event) => {
  event.preventDefault()
  void ask()
})
settingsView.addEventListener('toggle', () => void learnDefaults())
stopButton.addEventListener('click', () => running?.abort())
byId('show-code', HTMLButtonElement).addEventListener('click', () =>
  showCode(composer.questions()[0]),
)
addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]') !== null) return
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    void ask()
  }
  if (event.key === 'Escape') running?.abort()
})
