import { operationView } from './docs/operation-view.ts'
import { type OpenApi, routesByTag } from './docs/openapi.ts'
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
  const sections = Array.from(routesByTag(api), ([tag, routes]) => {
    const views = routes.map((route) => operationView(route, components.schemas, location.origin))
    return el(
      'section',
      { 'aria-labelledby': `tag-${tag}` },
      el('h2', { id: `tag-${tag}` }, tag),
      ...views,
    )
  })
  const links = Array.from(routesByTag(api), ([tag, routes]) =>
    el(
      'li',
      {},
      el('span', {}, tag),
      el(
        'ul',
        {},
        ...routes.map(({ operationId, method, path }) =>
          el(
            'li',
            {},
            el(
              'a',
              { href: `#${operationId}` },
              el('span', { class: 'method' }, method),
              ' ',
              path,
            ),
          ),
        ),
      ),
    ),
  )
  byId('version', HTMLElement).textContent = `Version ${info.version}`
  byId('about', HTMLElement).replaceChildren(...richText(info.description ?? ''))
  contents.replaceChildren(...links)
  content.replaceChildren(...sections)
  // The element named by the URL's fragment did not exist yet when the page was opened.
  if (location.hash !== '') document.getElementById(location.hash.slice(1))?.scrollIntoView()
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
