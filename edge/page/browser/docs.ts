import { operationView } from './docs/operation-view.ts'
import { type OpenApi, type Route, routesByTag, type Schemas } from './docs/openapi.ts'
import { richText } from './docs/rich-text.ts'
import { byId, el } from './dom.ts'
import { startTheme } from './theme.ts'

byId('incomplete', HTMLElement).remove()
startTheme()
const content = byId('content', HTMLElement)
const contents = byId('contents', HTMLElement)
// There is room for them next to the text.
byId('contents-fold', HTMLDetailsElement).open = matchMedia('(min-width: 60rem)').matches

/** Renders the page from the same document that programs read. */
function show(api: OpenApi): void {
  const { info, components } = api
  const tags = Array.from(routesByTag(api))
  byId('version', HTMLElement).textContent = `Version ${info.version}`
  byId('about', HTMLElement).replaceChildren(...richText(info.description ?? ''))
  contents.replaceChildren(...tags.map(([tag, routes]) => linksOf(tag, routes)))
  content.replaceChildren(
    ...tags.map(([tag, routes]) => sectionOf(tag, routes, components.schemas)),
  )
  // The element named by the URL's fragment did not exist yet when the page was opened.
  if (location.hash !== '') document.getElementById(location.hash.slice(1))?.scrollIntoView()
}

function sectionOf(tag: string, routes: readonly Route[], schemas: Schemas): HTMLElement {
  const heading = el('h2', { id: `tag-${tag}` }, tag)
  const views = routes.map((route) => operationView(route, schemas, location.origin))
  return el('section', { 'aria-labelledby': `tag-${tag}` }, heading, ...views)
}

function linksOf(tag: string, routes: readonly Route[]): HTMLElement {
  const links = routes.map(({ operationId, method, path }) => {
    const verb = el('span', { class: 'method' }, method)
    return el('li', {}, el('a', { href: `#${operationId}` }, verb, ' ', path))
  })
  return el('li', {}, el('span', {}, tag), el('ul', {}, ...links))
}

function showFailure(): void {
  const again = el('button', { type: 'button', onclick: () => location.reload() }, 'Try again')
  content.replaceChildren(
    el(
      'p',
      { role: 'alert' },
      'The description of the API could not be loaded from ',
      el('code', {}, '/openapi.json'),
      '.',
    ),
    again,
  )
}

/** @returns undefined when it cannot be loaded */
async function load(): Promise<OpenApi | undefined> {
  try {
    const response = await fetch('/openapi.json')
    return response.ok ? ((await response.json()) as OpenApi) : undefined
  } catch {
    return undefined
  }
}

const loaded = await load()
if (loaded === undefined) showFailure()
else show(loaded)
