import { el, icon } from '../../dom.ts'
import type { Picture } from '../question.ts'
import { nameOf } from './pictures.ts'

/** A picture in the list, with a button that removes it. */
export function pictureItem(picture: Picture, remove: () => void): HTMLElement {
  const name = nameOf(picture)
  const label = `Remove ${name}`
  const button = { type: 'button', class: 'remove', 'aria-label': label, onclick: remove }
  return el(
    'li',
    { class: 'picture', title: name },
    preview(picture),
    el('button', button, icon('close')),
  )
}

function preview(picture: Picture): HTMLElement {
  if (picture.kind === 'url') return el('span', { class: 'address' }, picture.url)
  // The server may be able to read a file that this browser cannot show.
  if (picture.thumbnail === undefined) return el('span', { class: 'address' }, picture.file.name)
  return el('img', { src: picture.thumbnail, alt: picture.file.name })
}
