type Child = Node | string | false | null | undefined
type Property = string | number | boolean | undefined | ((event: Event) => void)

/**
 * Creates an element. Strings and numbers become attributes, true becomes an empty one, and functions become listeners
 * of the event named after `on`; false and undefined count as absent.
 */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Readonly<Record<string, Property>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  append(element, children)
  return element
}

export function append(parent: Element, children: readonly Child[]): void {
  const present = children.filter(
    (child) => child !== false && child !== null && child !== undefined,
  )
  parent.append(...present)
}

/** The element of the page with this id. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id)
  if (element instanceof type) return element
  throw new TypeError(`The page has no ${type.name} #${id}`)
}

/** The HTML's templates. */
export function icon(name: string): SVGSVGElement {
  const namespace = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(namespace, 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(namespace, 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}
