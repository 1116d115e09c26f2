import { describe, expect, it } from 'vitest'
import { expectAccessible } from './page-visits.ts'
import type { PageStage } from './page-stage.ts'
import { ask, enterKey, sample, wide } from './page-steps.ts'

const themes = ['light', 'dark'] as const

/** Colours, sizes, and what axe says of them. */
export function describeLooks(stage: PageStage): void {
  describe.each(themes)('in %s colours', (colorScheme) => {
    it('has nothing that axe objects to, empty, with an answer, and with a problem', async () => {
      stage.scripted()
      const page = await stage.visits.open('/', { colorScheme, viewport: wide })
      await expectAccessible(page)
      await page.click('#settings > summary')
      await page.check('#compare')
      await page.setInputFiles('#picture-files', sample)
      await page.click('#show-code')
      await expectAccessible(page)
      await page.keyboard.press('Escape')
      await enterKey(page)
      await ask(page)
      await expectAccessible(page)
      await enterKey(page, 'wrong')
      await ask(page)
      await expectAccessible(page)
      await page.click('#key-open')
      await expectAccessible(page)
    })

    it('has nothing that axe objects to in /docs', async () => {
      const page = await stage.visits.open('/docs', { colorScheme, viewport: wide })
      await page.locator('#text summary').first().click()
      await expectAccessible(page, ['.operation:nth-of-type(n + 3)'])
    })
  })

  it.each([320, 360, 768, 1440])('fits a window of %i pixels', async (width) => {
    stage.scripted()
    for (const path of ['/', '/docs']) {
      const page = await stage.visits.open(path, { viewport: { width, height: 800 } })
      if (path === '/') {
        await page.click('#settings > summary')
        await page.check('#compare')
        await enterKey(page)
        await ask(page)
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
  })

  it('has a theme that is chosen, and remembered', async () => {
    const page = await stage.visits.open('/', { colorScheme: 'light' })
    const colour = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await colour()
    await page.getByRole('button', { name: 'Theme: automatic' }).click()
    expect(await colour()).toBe(light)
    await page.getByRole('button', { name: 'Theme: light' }).click()
    const dark = await colour()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor()
    expect(await colour()).toBe(dark)
  })
}
