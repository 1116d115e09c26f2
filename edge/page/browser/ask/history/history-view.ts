import { byId } from '../../dom.ts'
import { historyItem } from './history-item.ts'
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
    historyItem(entry, { restore: () => restore(entry), remove: () => void remove(entry.id) })
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
