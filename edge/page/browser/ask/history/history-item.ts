import { el, icon } from '../../dom.ts'
import type { HistoryEntry } from './record.ts'

interface ItemActions {
  readonly restore: () => void
  readonly remove: () => void
}

/** An earlier question in the list: a button that shows it again, and one that removes it. */
export function historyItem(entry: HistoryEntry, { restore, remove }: ItemActions): HTMLElement {
  const removing = {
    type: 'button',
    class: 'remove',
    'aria-label': `Remove: ${entry.prompt}`,
    onclick: remove,
  }
  return el(
    'li',
    {},
    el('button', { type: 'button', class: 'entry', onclick: restore }, ...contentOf(entry)),
    el('button', removing, icon('close')),
  )
}

function contentOf({ prompt, pictures, answers, at }: HistoryEntry): HTMLElement[] {
  const [first] = pictures
  const thumbnail = first?.kind === 'file' ? first.thumbnail : undefined
  const text = answers[0]?.texts[0] ?? ''
  const outcome = answers[0]?.problem?.title ?? (text === '' ? 'No answer' : text)
  return [
    thumbnail === undefined
      ? el('span', { class: 'no-picture', 'aria-hidden': 'true' }, prompt.slice(0, 1))
      : el('img', { src: thumbnail, alt: '' }),
    el(
      'span',
      { class: 'entry-texts' },
      el('span', { class: 'entry-prompt' }, prompt),
      el('span', { class: 'entry-answer' }, outcome),
      el('time', { datetime: new Date(at).toISOString() }, timeText(at)),
    ),
  ]
}

function timeText(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}
