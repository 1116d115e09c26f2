import { describe, expect, it } from 'vitest'
import type { PageStage } from './page-stage.ts'
import { reload } from './page-visits.ts'
import { answered, apiKey, ask, enterKey, sample, stored, text } from './page-steps.ts'

/** What the page keeps in the browser, and what it does not. */
export function describeKeeping(stage: PageStage): void {
  describe('the key', () => {
    it('is asked for, and kept nowhere', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await page.click('#ask')
      await page.fill('#key-field', apiKey)
      await page.getByRole('button', { name: 'Use this key' }).click()
      await answered(page)
      expect(await text(page, '.answer .text')).toEqual(['A red circle.'])
      expect(await stored(page)).not.toContain(apiKey)
      await reload(page)
      expect(await text(page, '#key-state')).toEqual(['none'])
    })

    it('is kept where somebody asks for it, until they ask to forget it', async () => {
      const page = await stage.visits.open('/')
      await page.click('#key-open')
      await page.fill('#key-field', apiKey)
      await page.check('#key-keep')
      await page.getByRole('button', { name: 'Use this key' }).click()
      expect(await stored(page)).toContain(apiKey)
      await reload(page)
      expect(await text(page, '#key-state')).toEqual(['set'])
      await page.click('#key-open')
      await page.getByRole('button', { name: 'Forget it' }).click()
      expect(await stored(page)).not.toContain(apiKey)
      expect(await text(page, '#key-state')).toEqual(['none'])
    })
  })

  describe('a browser without room', () => {
    it('says that it cannot remember the key, and asks with it', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await page.evaluate(`(() => {
        for (let size = 2 ** 23; size >= 1; size /= 2) {
          try { localStorage.setItem('full' + size, 'x'.repeat(size)) } catch {}
        }
      })()`)
      await page.click('#key-open')
      await page.fill('#key-field', apiKey)
      await page.check('#key-keep')
      await page.getByRole('button', { name: 'Use this key' }).click()
      expect(await text(page, '#key-state')).toEqual(['set, not kept'])
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual(['A red circle.'])
      expect(await stored(page)).not.toContain(apiKey)
    })

    it('says that a question is not kept, shows its answer, and keeps the next once there is room', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await enterKey(page)
      const browser = await page.context().newCDPSession(page)
      const quota = (size?: number) =>
        browser.send('Storage.overrideQuotaForOrigin', {
          origin: stage.edge.url,
          ...(size !== undefined && { quotaSize: size }),
        })
      await quota(1)
      await page.fill('#prompt', `Not kept: ${'x'.repeat(500_000)}`)
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual(['A red circle.'])
      await page.getByText('This question could not be kept').waitFor()
      expect(await page.locator('.entry').count()).toBe(0)
      await quota()
      await page.fill('#prompt', 'Kept')
      await ask(page)
      await page.locator('.entry').waitFor()
      await reload(page)
      expect(await text(page, '.entry-prompt')).toEqual(['Kept'])
    })
  })

  describe('earlier questions', () => {
    it('are there after a reload, with small pictures, and go when they are cleared', async () => {
      stage.scripted()
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.setInputFiles('#picture-files', sample)
      await page.fill('#prompt', 'What colour is it?')
      await page.click('#settings > summary')
      await page.fill('#setting-seed-A', '7')
      await ask(page)
      await reload(page)
      expect(await text(page, '.entry-prompt, .entry-answer')).toEqual([
        'What colour is it?',
        'A red circle.',
      ])
      expect(await page.locator('.entry img').getAttribute('src')).toMatch(
        /^data:image\/jpeg;base64,/,
      )
      await page.click('.entry')
      expect(await page.inputValue('#prompt')).toBe('What colour is it?')
      expect(await page.inputValue('#setting-seed-A')).toBe('7')
      expect(await text(page, '.answer .text')).toEqual(['A red circle.'])
      expect(await text(page, '#pictures-note')).toEqual([
        expect.stringContaining('add sample.png again'),
      ])
      await page.click('#history-clear')
      await page.locator('#history-confirm').getByRole('button', { name: 'Clear' }).click()
      await page.locator('#history-empty').waitFor()
      await reload(page)
      expect(await page.locator('.entry').count()).toBe(0)
    })
  })
}
