import { byId, el, icon } from '../../dom.ts'
import type { HistoryStore } from './history-store.ts'
import type { HistoryEntry } from './record.ts'

export interface HistoryView {
  readonly add: (entry: HistoryEntry) => Promise<void>
}

/** The list of earlier questions, which stay in this browser. @param restore shows one again */
export async function createHistoryView(
  store: HistoryStore,
  restore: (entry: HistoryEntry) => void,
): Promise<HistoryView> {
  const list = byId('history-list', HTMLOListElement)
  const empty = byId('history-empty', HTMLElement)
  const clear = byId('history-clear', HTMLButtonElement)
  const dialog = byId('history-confirm', HTMLDialogElement)

  const refresh = async () => {
    const entries = await store.list()
    list.replaceChildren(...entries.map((entry) => item(entry)))
    empty.hidden = entries.length > 0
    clear.hidden = entries.length === 0
  }
  const remove = async (id: string) => {
    await store.remove(id)
    await refresh()
    const next = list.querySelector('button') ?? byId('prompt', HTMLTextAreaElement)
    next.focus()
  }
  const item = (entry: HistoryEntry) =>
    el(
      'li',
      {},
      el(
        'button',
        { type: 'button', class: 'entry', onclick: () => restore(entry) },
        ...contentOf(entry),
      ),
      el(
        'button',
        {
          type: 'button',
          class: 'remove',
          'aria-label': `Remove: ${entry.prompt}`,
          onclick: () => void remove(entry.id),
        },
        icon('close'),
      ),
    )
  clear.addEventListener('click', () => dialog.showModal())
  dialog.addEventListener('close', () => {
    if (dialog.returnValue !== 'clear') return
    dialog.returnValue = ''
    void store.clear().then(refresh)
  })
  await refresh()
  return {
    async add(entry) {
      await store.add(entry)
      await refresh()
    },
  }
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
