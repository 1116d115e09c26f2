import { append, el } from '../../dom.ts'
import { counted } from '../../format.ts'
import { factsOf } from './answer-facts.ts'
import { copyFrom } from '../copy.ts'
import type { Question } from '../question.ts'
import type { AnswerRecord } from '../history/record.ts'
import { problemBox } from './problem-box.ts'

export interface PanelActions {
  readonly showCode: (question: Question) => void
  readonly enterKey: () => void
  readonly askAgain: () => void
}

export interface AnswerPanel {
  readonly element: HTMLElement
  /** @param name `A` or `B`; undefined if there is only one answer @param summary of its settings */
  readonly begin: (question: Question, name: string | undefined, summary: string) => void
  readonly showState: (text: string) => void
  readonly addThought: (index: number, text: string) => void
  readonly addText: (index: number, text: string) => void
  readonly showEnd: (record: AnswerRecord) => void
}

/** Shows one answer as it arrives. */
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
  const paragraphs = growing(texts, () => {
    const text = el('p', { class: 'text' })
    return { text, element: text }
  })
  const thoughts = growing(thinking, (index) => {
    const text = el('p')
    const label = index === 0 ? 'Thought' : `Thought ${index + 1}`
    return { text, element: el('details', {}, el('summary', {}, label), text) }
  })
  return {
    element,
    begin(asked, name, settings) {
      question = asked
      title.textContent = name === undefined ? 'Answer' : `Answer ${name}`
      summary.textContent = settings
      paragraphs.clear()
      thoughts.clear()
      after.replaceChildren()
      element.classList.add('running')
      element.setAttribute('aria-busy', 'true')
    },
    showState: (text) => (state.textContent = text),
    addThought: (index, text) => thoughts.at(index).append(text),
    addText: (index, text) => paragraphs.at(index).append(text),
    showEnd(record) {
      element.classList.remove('running')
      element.removeAttribute('aria-busy')
      record.thoughts?.forEach((text, index) => (thoughts.at(index).textContent = text))
      record.texts.forEach((text, index) => (paragraphs.at(index).textContent = text))
      state.textContent = stateOf(record)
      const { problem, end } = record
      const hasText = record.texts.some((text) => text !== '')
      const copy = hasText && copyButton(texts)
      const code = codeButton(() => actions.showCode(question))
      append(after, [
        problem && problemBox(problem, actions),
        end && factsOf(end),
        el('div', { class: 'actions' }, copy, code),
      ])
    },
  }
}

interface Growing {
  /** The text with this index; it is created, with all those before it, when first needed. */
  readonly at: (index: number) => HTMLElement
  readonly clear: () => void
}

/** Texts inside `parent`, one for each of several answers. @param make the text, and the element around it */
function growing(
  parent: HTMLElement,
  make: (index: number) => { readonly text: HTMLElement; readonly element: HTMLElement },
): Growing {
  const made: HTMLElement[] = []
  return {
    at(index) {
      while (made.length <= index) {
        const { text, element } = make(made.length)
        made.push(text)
        parent.append(element)
      }
      return made[index]!
    },
    clear() {
      made.length = 0
      parent.replaceChildren()
    },
  }
}

function stateOf({ end, stopped, problem }: AnswerRecord): string {
  if (stopped) return 'Stopped'
  if (problem !== undefined) return ''
  if (end?.reasons.includes('length') === true) return 'Ended at the maximum length'
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

/** What screen readers announce when an answer has ended. */
export function spokenEnd({ problem, stopped, end }: AnswerRecord): string {
  if (problem !== undefined) return problem.title
  if (stopped) return 'Stopped'
  return `The answer is complete: ${counted(end?.usage.completion_tokens ?? 0, 'token')}`
}
