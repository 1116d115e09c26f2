import { el } from '../../dom.ts'
import { type Problem, waitText } from '../problem.ts'

interface ProblemActions {
  readonly enterKey: () => void
  readonly askAgain: () => void
}

/** What went wrong, and a button for what to do about it. */
export function problemBox(problem: Problem, { enterKey, askAgain }: ProblemActions): HTMLElement {
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
