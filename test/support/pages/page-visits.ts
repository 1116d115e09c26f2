import { source as axe } from 'axe-core'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

/** Runs in the page, whose interfaces the types of this project's programs do not have. */
const tellViolations = `addEventListener('securitypolicyviolation', (event) =>
  console.error('Violation: ' + event.violatedDirective + ' ' + event.blockedURI))`

/** What axe found, as far as it is looked at here. */
interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

/** Visits to a page, each in a browser that knows nothing of the others; watched for what a page must never do. */
export class PageVisits {
  readonly #browser: Browser
  readonly #origin: string
  readonly #contexts: BrowserContext[] = []
  readonly #faults: string[] = []

  constructor(browser: Browser, origin: string) {
    this.#browser = browser
    this.#origin = origin
  }

  /** Opens a page of this origin, and waits until its modules have run. */
  async open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext(options)
    this.#contexts.push(context)
    await context.addInitScript(tellViolations)
    const page = await context.newPage()
    page.on('request', (request) => {
      const url = request.url()
      const isOwn = url.startsWith(`${this.#origin}/`) || /^(data|blob):/.test(url)
      if (!isOwn) this.#faults.push(`request to ${url}`)
    })
    page.on('pageerror', (error) => this.#faults.push(String(error)))
    page.on('console', (message) => {
      // Chromium reports every status that is no success.
      const isFault =
        message.type() === 'error' && !message.text().startsWith('Failed to load resource')
      if (isFault) this.#faults.push(message.text())
    })
    await page.goto(this.#origin + path)
    await modulesHaveRun(page)
    return page
  }

  /** Ends all visits. @throws {Error} if a page called another origin, broke its policy, or threw */
  async end(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close()
    const faults = this.#faults.splice(0)
    if (faults.length > 0) throw new Error(`A page did what it must not: ${faults.join(', ')}`)
  }
}

/** Loads the page again, and waits until its modules have run. */
export async function reload(page: Page): Promise<void> {
  await page.reload()
  await modulesHaveRun(page)
}

/** Importing a module that the page has loaded waits for what it itself waits for, and runs nothing twice. */
async function modulesHaveRun(page: Page): Promise<void> {
  await page.evaluate(`Promise.all(Array.from(
    document.querySelectorAll('script[type=module]'), ({ src }) => import(src))).then(() => null)`)
}

/**
 * Fails with what axe finds wrong with the page as it is now.
 * @param exclude selectors of what is like something else on the page
 */
export async function expectAccessible(page: Page, exclude: readonly string[] = []): Promise<void> {
  // As a tool of the browser does it, which the page's policy does not concern.
  await page.evaluate(axe)
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify({ exclude })})`)
  const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])
  expect(found).toEqual([])
}
