import { append, el } from '../../dom.ts'
import { counted } from '../../format.ts'
import { factsOf } from './answer-facts.ts'
import { copyFrom } from '../copy.ts'
import { type Problem, waitText } from '../problem.ts'
import type { Question } from '../question.ts'
import type { AnswerRecord } from '../history/record.ts'

export interface PanelActions {
  readonly showCode: (question: Question) => void
  readonly enterKey: () => void
  readonly askAgain: () => void
}

export interface AnswerPanel {
  readonly element: HTMLElement
  /** @param name `A` or `B`, undefined where there is one answer @param summary of its settings */
  readonly begin: (question: Question, name: string | undefined, summary: string) => void
  readonly showState: (text: string) => void
  readonly addThought: (index: number, text: string) => void
  readonly addText: (index: number, text: string) => void
  readonly showEnd: (record: AnswerRecord) => void
}

/** Where one answer is shown as it comes. */
export function createAnswerPanel(actions: PanelActions): AnswerPanel {
  const title = el('h2')
  const summary = el('span', { class: 'summary' })
  const state = el('span', { class: 'state' })
  const thinking = el('div', { class: 'thoughts' })
  const texts = el('div', { class: 'texts' })
  const after = el('div', { class: 'after' })
  const header = el('header', {}, title, summary, state)
  const element = el('article', { class: 'answer' }, header, thinking, texts, after)
  let question: Question
  let paragraphs: HTMLElement[] = []
  let thoughts: HTMLElement[] = []

  const paragraph = (index: number): HTMLElement => {
    while (paragraphs.length <= index) {
      const next = el('p', { class: 'text' })
      paragraphs.push(next)
      texts.append(next)
    }
    return paragraphs[index]!
  }
  const thought = (index: number): HTMLElement => {
    while (thoughts.length <= index) {
      const next = el('p')
      const label = thoughts.length === 0 ? 'Thought' : `Thought ${thoughts.length + 1}`
      thoughts.push(next)
      thinking.append(el('details', {}, el('summary', {}, label), next))
    }
    return thoughts[index]!
  }
  return {
    element,
    begin(asked, name, settings) {
      question = asked
      title.textContent = name === undefined ? 'Answer' : `Answer ${name}`
      summary.textContent = settings
      paragraphs = []
      thoughts = []
      thinking.replaceChildren()
      texts.replaceChildren()
      after.replaceChildren()
      element.classList.add('running')
      element.setAttribute('aria-busy', 'true')
    },
    showState: (text) => (state.textContent = text),
    addThought: (index, text) => thought(index).append(text),
    addText: (index, text) => paragraph(index).append(text),
    showEnd(record) {
      element.classList.remove('running')
      element.removeAttribute('aria-busy')
      record.thoughts?.forEach((text, index) => (thought(index).textContent = text))
      record.texts.forEach((text, index) => (paragraph(index).textContent = text))
      state.textContent = stateOf(record)
      const { problem, end } = record
      const hasText = record.texts.some((text) => text !== '')
      append(after, [
        problem && problemBox(problem, actions),
        end && factsOf(end),
        el(
          'div',
          { class: 'actions' },
          hasText && copyButton(texts),
          codeButton(() => actions.showCode(question)),
        ),
      ])
    },
  }
}

function stateOf({ end, stopped, problem }: AnswerRecord): string {
  if (stopped) return 'Stopped'
  if (problem !== undefined) return ''
  if (end?.reasons.includes('length') === true) return 'Ended at the longest length'
  return end?.reasons.includes('timeout') === true ? 'Ended by the time limit' : ''
}

function copyButton(source: HTMLElement): HTMLElement {
  const button = el('button', { type: 'button', class: 'plain' }, 'Copy')
  button.addEventListener('click', () => void copyFrom(source, button))
  return button
}

function codeButton(show: () => void): HTMLElement {
  return el('button', { type: 'button', class: 'plain', onclick: show }, 'As code')
}

function problemBox(problem: Problem, { enterKey, askAgain }: PanelActions): HTMLElement {
  const { title, detail, requestId, retryAfterSeconds, needsKey } = problem
  const wait = retryAfterSeconds === undefined ? '' : `Ask again in ${waitText(retryAfterSeconds)}.`
  return el(
    'div',
    { class: 'problem', role: 'alert' },
    el('h3', {}, title),
    el('p', {}, detail),
    wait !== '' && el('p', {}, wait),
    requestId !== undefined &&
      el('p', { class: 'request-id' }, 'Request ', el('code', {}, requestId)),
    el(
      'div',
      { class: 'actions' },
      needsKey === true && el('button', { type: 'button', onclick: enterKey }, 'Enter a key'),
      needsKey !== true && el('button', { type: 'button', onclick: askAgain }, 'Ask again'),
    ),
  )
}

/** What screen readers say when an answer has ended. */
export function spokenEnd({ problem, stopped, end }: AnswerRecord): string {
  if (problem !== undefined) return problem.title
  if (stopped) return 'Stopped'
  return `The answer is complete: ${counted(end?.usage.completion_tokens ?? 0, 'token')}`
}
