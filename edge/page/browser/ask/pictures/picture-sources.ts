import { byId } from '../../dom.ts'
import { choosePhoto } from './camera.ts'
import { samplePicture } from './thumbnail.ts'

type AddFiles = (files: Iterable<File>) => Promise<void>

/** All the ways to add files: the buttons, dropping and pasting. */
export function acceptFiles(area: HTMLElement, addFiles: AddFiles): void {
  const files = byId('picture-files', HTMLInputElement)
  onClick('add-files', () => files.click())
  files.addEventListener('change', () => {
    void addFiles(files.files ?? []).then(() => (files.value = ''))
  })
  onClick('add-photo', () => void choosePhoto().then((photo) => photo && addFiles([photo])))
  onClick('add-sample', () => void samplePicture().then((file) => addFiles([file])))
  acceptDrops(area, addFiles)
  document.addEventListener('paste', ({ clipboardData }) => {
    const pasted = Array.from(clipboardData?.files ?? [])
    if (pasted.length > 0) void addFiles(pasted)
  })
}

/** Adds the typed URL on Enter or when the button is pressed. @param add returns whether it was accepted */
export function acceptUrl(add: (url: string) => boolean): void {
  const url = byId('picture-url', HTMLInputElement)
  const addUrl = () => {
    if (url.value.trim() !== '' && add(url.value.trim())) url.value = ''
  }
  onClick('add-url', addUrl)
  url.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    addUrl()
  })
}

function onClick(id: string, action: () => void): void {
  byId(id, HTMLButtonElement).addEventListener('click', action)
}

/** The whole window accepts drops, because one that missed would navigate away from the page. */
function acceptDrops(area: HTMLElement, addFiles: AddFiles): void {
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
