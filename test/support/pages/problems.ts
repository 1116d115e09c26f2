import { describe, expect, it } from 'vitest'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { ServiceError } from '../../../shared/api/errors.ts'
import { maxImageBytes } from '../../../shared/api/limits.ts'
import { formatEvent } from '../../../shared/api/wire/sse.ts'
import type { PageStage } from './page-stage.ts'
import { answered, apiKey, ask, enterKey, text } from './page-steps.ts'

/** Answers that do not come, or only in part. */
export function describeProblems(stage: PageStage): void {
  describe('a problem', () => {
    const problem = (page: Page) =>
      text(page, '.problem h3, .problem p:not(.request-id), .problem button')
    const requestId = expect.stringMatching(/^Request req_[\da-f]{32}$/) as string

    it('with the key asks for another one, and then goes on', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await enterKey(page, 'wrong')
      await ask(page)
      expect((await problem(page)).at(0)).toBe('This API key is not valid')
      expect(await text(page, '.problem .request-id')).toEqual([requestId])
      await page.getByRole('button', { name: 'Enter a key' }).click()
      await page.fill('#key-field', apiKey)
      await page.keyboard.press('Enter')
      await page.getByText('A red circle.').first().waitFor()
    })

    it('with a limit says when to ask again', async () => {
      stage.scripted()
      const created = await fetch(`${stage.edge.url}/admin/keys`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ limits: { requests_per_minute: 1 } }),
      })
      const { key } = (await created.json()) as { key: string }
      const page = await stage.visits.open('/')
      await enterKey(page, key)
      await ask(page)
      await ask(page)
      expect(await problem(page)).toEqual([
        'Too many questions in a short time',
        expect.any(String),
        expect.stringMatching(/^Ask again in \d+ seconds?\.$/),
        'Ask again',
      ])
    })

    it('with an address says what the server says', async () => {
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.fill('#picture-url', 'http://127.0.0.1/a.png')
      await page.click('#add-url')
      await ask(page)
      expect((await problem(page)).slice(0, 2)).toEqual([
        'The server does not fetch this address',
        'Cannot fetch the image: its host is not a public one',
      ])
      expect(await text(page, '.problem .request-id')).toEqual([requestId])
    })

    it('within an answer leaves what there is of it', async () => {
      const engine = stage.scripted()
      engine.beforeBatch = async (index) => {
        if (index === 1) throw new ServiceError('engine_restarted', 'Inference was restarted')
      }
      const page = await stage.visits.open('/')
      await enterKey(page)
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual(['A red'])
      expect((await problem(page)).at(0)).toBe('The model was restarted while it answered')
    })

    it('in one of two answers leaves the other one alone', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.click('#settings > summary')
      await page.check('#compare')
      await page.fill('#setting-temperature-A', '0')
      await page.fill('#setting-temperature-B', '1.5')
      const cut = formatEvent('delta', { text: 'A blue' })
      await page.route('**/generate/text', (route) =>
        route.request().postData()?.includes('1.5') === true
          ? route.fulfill({ headers: { 'x-request-id': `req_${'0'.repeat(32)}` }, body: cut })
          : route.fallback(),
      )
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual(['A red circle.', 'A blue'])
      expect((await problem(page)).at(0)).toBe('The answer broke off')
      expect(await text(page, '.problem .request-id')).toEqual([requestId])
      await page.unroute('**/generate/text')
      await page.getByRole('button', { name: 'Ask again' }).click()
      await answered(page)
      expect(await text(page, '.answer .text')).toEqual(['A red circle.', 'A red circle.'])
      expect(await problem(page)).toEqual([])
    })

    it('with size names the limit, before anything is sent', async () => {
      const page = await stage.visits.open('/')
      const folder = await mkdtemp(join(tmpdir(), 'pages-'))
      const file = join(folder, 'large.png')
      await writeFile(file, '')
      await truncate(file, maxImageBytes + 1)
      await page.setInputFiles('#picture-files', file)
      await page.getByText('large.png has 20.1 MB; 20 MB are allowed.').waitFor()
      expect(await page.locator('.picture').count()).toBe(0)
      await rm(folder, { recursive: true })
    })

    it('with its own files, as while servers are replaced, asks to be loaded again', async () => {
      // At once, because a page waits for five seconds until it says so.
      await Promise.all(['/', '/docs'].map(loadAgain))
    })

    async function loadAgain(path: string): Promise<void> {
      const page = await stage.visits.open(path)
      expect(await page.locator('#incomplete').count()).toBe(0)
      for (const missing of [/\/page\/.*\.ts$/, /\/page\/.*\.(ts|css)$/]) {
        await page.route(missing, (route) => route.fulfill({ status: 404 }))
        await page.reload()
        await page.locator('#incomplete').waitFor({ state: 'visible' })
        await page.unroute(missing)
      }
      await page.getByRole('link', { name: 'Load it again' }).click()
      await page.locator('#incomplete').waitFor({ state: 'detached' })
    }

    it('of a proxy, or of the network, is told apart', async () => {
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.route('**/generate/text', (route) =>
        route.fulfill({ status: 413, body: '<html>' }),
      )
      await ask(page)
      expect((await problem(page)).at(0)).toBe('This is more than the server accepts at once')
      await page.unroute('**/generate/text')
      await page.context().setOffline(true)
      await ask(page)
      expect((await problem(page)).at(0)).toBe('You are offline')
      await page.context().setOffline(false)
      stage.scripted()
      await page.getByRole('button', { name: 'Ask again' }).click()
      await page.getByText('A red circle.').first().waitFor()
    })
  })
}
