import { append, el } from '../dom.ts'

/** A part that is folded, and only made when it is first unfolded: all of them together are thousands of elements. */
export function foldedPart(
  title: string,
  make: () => readonly (HTMLElement | undefined)[],
): HTMLDetailsElement {
  const part = el('details', {}, el('summary', {}, title))
  part.addEventListener('toggle', () => append(part, make()), { once: true })
  return part
}
