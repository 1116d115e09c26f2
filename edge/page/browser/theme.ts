import { byId } from './dom.ts'
import { readItem, writeItem } from './storage.ts'

const themes = ['automatic', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

const item = 'describe.theme'

/** The button that cycles through the themes. The choice is remembered in this browser. */
export function startTheme(): void {
  const button = byId('theme', HTMLButtonElement)
  const show = (theme: Theme) => {
    document.documentElement.dataset['theme'] = theme
    button.dataset['theme'] = theme
    button.setAttribute('aria-label', `Theme: ${theme}`)
    button.title = `Theme: ${theme}`
  }
  let theme = themes.find((each) => each === readItem(item)) ?? 'automatic'
  show(theme)
  button.addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length]!
    writeItem(item, theme === 'automatic' ? undefined : theme)
    show(theme)
  })
}
