import { byId } from '../dom.ts'
import { readItem, writeItem } from '../storage.ts'

const item = 'describe.api-key'

export interface KeyDialog {
  /** The key to send; undefined while there is none. */
  readonly key: () => string | undefined
  /** @returns whether a key was entered */
  readonly open: () => Promise<boolean>
}

/**
 * The API key, kept in memory, and in this browser's storage only if the user asks for that.
 * @param onChange called when a key was entered or forgotten
 */
export function createKeyDialog(onChange: () => void): KeyDialog {
  const dialog = byId('key', HTMLDialogElement)
  const form = byId('key-form', HTMLFormElement)
  const field = byId('key-field', HTMLInputElement)
  const keep = byId('key-keep', HTMLInputElement)
  const button = byId('key-open', HTMLButtonElement)
  const state = byId('key-state', HTMLElement)
  let key = readItem(item)
  let entered = (_isEntered: boolean) => {}

  const show = (isKept = true) => {
    state.textContent = key === undefined ? 'none' : isKept ? 'set' : 'set, not kept'
    button.dataset['state'] = key === undefined ? 'none' : 'set'
  }
  const use = (value: string) => {
    key = value === '' ? undefined : value
    // The browser may have no storage left, or none for this origin.
    show(writeItem(item, keep.checked ? key : undefined))
    onChange()
  }
  const open = () => {
    field.value = key ?? ''
    keep.checked = readItem(item) !== undefined
    dialog.returnValue = ''
    dialog.showModal()
    return new Promise<boolean>((resolve) => (entered = resolve))
  }
  form.addEventListener('submit', () => use(field.value.trim()))
  byId('key-forget', HTMLButtonElement).addEventListener('click', () => {
    keep.checked = false
    use('')
    dialog.close()
  })
  dialog.addEventListener('close', () => entered(dialog.returnValue === 'use' && key !== undefined))
  button.addEventListener('click', () => void open())
  show()
  return { key: () => key, open }
}
