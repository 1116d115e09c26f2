import { el } from '../dom.ts'

/** Text in which backticks mark code. */
export function richText(text: string): (string | HTMLElement)[] {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : el('code', {}, part)))
}
