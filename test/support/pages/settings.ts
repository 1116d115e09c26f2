import { describe, expect, it } from 'vitest'
import { modelView } from '../../../backend/http/routes/models.ts'
import type { PageStage } from './page-stage.ts'
import { ask, enterKey, text } from './page-steps.ts'
import { expectAccessible } from './page-visits.ts'

const advisedModel = {
  id: 'advised',
  aliases: [],
  createdAt: 0,
  contextTokens: 8_192,
  imageTokens: 256,
  mostImageTokens: 256,
  recommended: { temperature: 0.2, top_k: 40 },
  reasons: false,
}

/** Settings that depend on the model. */
export function describeSettings(stage: PageStage): void {
  describe('settings', () => {
    it('offer what is recommended for the model, where something is', async () => {
      const page = await stage.visits.open('/')
      const defaults = page.locator('#setting-defaults-A')
      await page.click('#settings > summary')
      const told = page.waitForResponse('**/v1/models')
      await enterKey(page)
      await (await told).finished()
      expect(await defaults.isVisible()).toBe(false)

      const list = { object: 'list', data: [modelView(advisedModel, 'advised')] }
      await page.route('**/v1/models', (route) => route.fulfill({ json: list }))
      await enterKey(page)
      await defaults.waitFor()
      expect(await text(page, '#setting-defaults-hint')).toEqual([
        'The model’s: temperature 0.2, top_k 40',
      ])
      await expectAccessible(page)
      const standards = () =>
        page.evaluate(`['temperature', 'top-p'].map((name) =>
          document.getElementById('setting-' + name + '-A').placeholder)`)
      expect(await standards()).toEqual(['0.7', '0.9'])
      await defaults.selectOption('model')
      expect(await standards()).toEqual(['0.2', '0.9'])

      const request = page.waitForRequest('**/generate/text')
      await ask(page)
      expect((await request).postDataJSON()).toEqual({
        prompt: 'Describe this image.',
        preset: 'model',
      })
      expect(await text(page, '.answer .summary')).toEqual(['the model’s defaults'])
    })
  })
}
