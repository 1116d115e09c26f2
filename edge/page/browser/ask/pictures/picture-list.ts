import { byId, el, icon } from '../../dom.ts'
import { choosePhoto } from './camera.ts'
import { nameOf, refusalOf } from './pictures.ts'
import type { Picture } from '../question.ts'
import { samplePicture, thumbnailOf } from './thumbnail.ts'

export interface PictureList {
  readonly pictures: () => readonly Picture[]
  readonly replace: (pictures: readonly Picture[]) => void
  /** Says something about the pictures, until one is added or removed. */
  readonly note: (text: string) => void
}

/** The pictures of the question, and all ways to add some. */
export function createPictureList(say: (text: string) => void): PictureList {
  const list = byId('pictures', HTMLUListElement)
  const notice = byId('pictures-note', HTMLElement)
  const area = byId('drop-area', HTMLElement)
  const files = byId('picture-files', HTMLInputElement)
  const url = byId('picture-url', HTMLInputElement)
  let pictures: readonly Picture[] = []

  const show = (changed: readonly Picture[]) => {
    pictures = changed
    notice.textContent = ''
    list.replaceChildren(...pictures.map(item))
    area.classList.toggle('filled', pictures.length > 0)
  }
  const remove = (picture: Picture) => {
    const index = pictures.indexOf(picture)
    show(pictures.filter((each) => each !== picture))
    const buttons = list.querySelectorAll('button')
    const next =
      buttons[Math.min(index, buttons.length - 1)] ?? byId('add-files', HTMLButtonElement)
    next.focus()
    say(`${nameOf(picture)} removed`)
  }
  const item = (picture: Picture) =>
    el(
      'li',
      { class: 'picture', title: nameOf(picture) },
      preview(picture),
      el(
        'button',
        {
          type: 'button',
          class: 'remove',
          'aria-label': `Remove ${nameOf(picture)}`,
          onclick: () => remove(picture),
        },
        icon('close'),
      ),
    )
  /** @returns whether it was added */
  const add = (picture: Picture): boolean => {
    const refusal = refusalOf(picture, pictures)
    if (refusal === undefined) show([...pictures, picture])
    else notice.textContent = refusal
    return refusal === undefined
  }
  const addFiles = async (added: Iterable<File>) => {
    const refusals: string[] = []
    for (const file of added) {
      const isAdded = add({ kind: 'file', file, thumbnail: await thumbnailOf(file) })
      if (!isAdded) refusals.push(notice.textContent)
    }
    if (refusals.length > 0) notice.textContent = refusals.join(' ')
    say(`${pictures.length} pictures`)
  }
  const addUrl = () => {
    if (url.value.trim() !== '' && add({ kind: 'url', url: url.value.trim() })) url.value = ''
  }

  byId('add-files', HTMLButtonElement).addEventListener('click', () => files.click())
  files.addEventListener('change', () => {
    void addFiles(files.files ?? []).then(() => (files.value = ''))
  })
  byId('add-photo', HTMLButtonElement).addEventListener('click', () => {
    void choosePhoto().then((photo) => photo && addFiles([photo]))
  })
  byId('add-sample', HTMLButtonElement).addEventListener('click', () => {
    void samplePicture().then((file) => addFiles([file]))
  })
  byId('add-url', HTMLButtonElement).addEventListener('click', addUrl)
  url.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    addUrl()
  })
  acceptDrops(area, addFiles)
  document.addEventListener('paste', ({ clipboardData }) => {
    const pasted = Array.from(clipboardData?.files ?? [])
    if (pasted.length > 0) void addFiles(pasted)
  })
  return { pictures: () => pictures, replace: show, note: (text) => (notice.textContent = text) }
}

function preview(picture: Picture): HTMLElement {
  if (picture.kind === 'url') return el('span', { class: 'address' }, picture.url)
  // A file that this browser cannot show, the server may still read.
  if (picture.thumbnail === undefined) return el('span', { class: 'address' }, picture.file.name)
  return el('img', { src: picture.thumbnail, alt: picture.file.name })
}

/** The whole window takes drops: one that misses would leave the page. */
function acceptDrops(area: HTMLElement, addFiles: (files: Iterable<File>) => Promise<void>): void {
  addEventListener('dragover', (event) => {
    event.preventDefault()
    area.classList.add('hovered')
  })
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) area.classList.remove('hovered')
  })
  addEventListener('drop', (event) => {
    event.preventDefault()
    area.classList.remove('hovered')
    void addFiles(event.dataTransfer?.files ?? [])
  })
}
