import { byId } from '../../dom.ts'
import type { Picture } from '../question.ts'
import { pictureItem } from './picture-item.ts'
import { acceptFiles, acceptUrl } from './picture-sources.ts'
import { nameOf, refusalOf } from './pictures.ts'
import { thumbnailOf } from './thumbnail.ts'

export interface PictureList {
  readonly pictures: () => readonly Picture[]
  readonly replace: (pictures: readonly Picture[]) => void
  /** Shows a message about the pictures until one is added or removed. */
  readonly note: (text: string) => void
}

/** The pictures of the question, and all the ways to add more. */
export function createPictureList(say: (text: string) => void): PictureList {
  const list = byId('pictures', HTMLUListElement)
  const notice = byId('pictures-note', HTMLElement)
  const area = byId('drop-area', HTMLElement)
  let pictures: readonly Picture[] = []

  const show = (changed: readonly Picture[]) => {
    pictures = changed
    notice.textContent = ''
    list.replaceChildren(...pictures.map((each) => pictureItem(each, () => remove(each))))
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
  acceptFiles(area, addFiles)
  acceptUrl((url) => add({ kind: 'url', url }))
  return { pictures: () => pictures, replace: show, note: (text) => (notice.textContent = text) }
}
