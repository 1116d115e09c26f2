import { describe, expect, it } from 'vitest'
import { edgeRoutes } from '../../../shared/api/routes.ts'
import type { PageStage } from './page-stage.ts'
import { tabTo, text, wide } from './page-steps.ts'

/** The page that shows the API. */
export function describeDocs(stage: PageStage): void {
  describe('/docs', () => {
    it('shows every route, drawn from the document', async () => {
      const page = await stage.visits.open('/docs', { viewport: wide })
      const routes = Object.values(edgeRoutes).map(
        ({ method, path }) => `${method} ${path.replace(/:(\w+)(\{.*\})?/g, '{$1}')}`,
      )
      const shown = await text(page, '.operation h3')
      expect(shown.toSorted()).toEqual(
        expect.arrayContaining(routes.filter((route) => !route.includes('{version}'))),
      )
      expect(shown).toHaveLength(routes.length)
      expect(await text(page, '#image pre')).toEqual(
        expect.arrayContaining([
          expect.stringContaining(`curl '${stage.edge.url}/generate/image'`),
        ]),
      )
      expect(await text(page, '#text .fields .field-name')).toEqual(
        expect.arrayContaining(['prompt', 'temperature', 'response_format']),
      )
    })

    it('works with the keyboard', async () => {
      const page = await stage.visits.open('/docs#chat', { viewport: wide })
      expect((await page.locator('#chat').boundingBox())?.y).toBeLessThan(100)
      await tabTo(page, '#contents a')
      await page.keyboard.press('Enter')
      expect(new URL(page.url()).hash).toBe('#text')
      await page.locator('#text summary').first().focus()
      await page.keyboard.press('Enter')
      expect(await page.locator('#text details').first().getAttribute('open')).toBe('')
    })

    it('says when there is nothing to show', async () => {
      const page = await stage.visits.open('/docs')
      await page.route('**/openapi.json', (route) => route.abort())
      await page.reload()
      await page.getByRole('alert').waitFor()
      expect(await text(page, '#content [role=alert]')).toEqual([
        expect.stringContaining('could not be loaded'),
      ])
    })
  })
}
