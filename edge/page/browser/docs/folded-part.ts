import { append, el } from '../dom.ts'

/**
 * A collapsed part that is only created when first expanded, because all of them together are thousands of elements.
 */
export function foldedPart(
  title: string,
  make: () => readonly (HTMLElement | undefined)[],
): HTMLDetailsElement {
  const part = el('details', {}, el('summary', {}, title))
  part.addEventListener('toggle', () => append(part, make()), { once: true })
  return part
}
