import { describe, expect, it } from 'vitest'
import { formatEvent } from '../../../shared/api/wire/sse.ts'
import { until } from '../backends/test-backend.ts'
import type { PageStage } from './page-stage.ts'
import { answered, apiKey, ask, enterKey, sample, sampleText, tabTo, text } from './page-steps.ts'

/** A streamed answer of a model that thinks. */
const thoughtful = [
  formatEvent('queued', { request_id: 'req_1', position: 0 }),
  formatEvent('reasoning', { text: 'It is round.\n' }),
  formatEvent('reasoning', { text: 'So it is a circle.' }),
  formatEvent('delta', { text: 'A circle' }),
  formatEvent('delta', { text: '.' }),
  formatEvent('end', {
    finish_reason: 'stop',
    usage: {
      prompt_tokens: 9,
      image_tokens: 0,
      completion_tokens: 12,
      cached_tokens: 0,
      reasoning_tokens: 9,
    },
    timings: {
      prepare_ms: 1,
      queue_ms: 1,
      vision_ms: 0,
      prefill_ms: 1,
      decode_ms: 9,
      total_ms: 12,
    },
    request_id: 'req_1',
  }),
].join('')

/** Questions, and how their answers come. */
export function describeAsking(stage: PageStage): void {
  describe('asking', () => {
    it('describes a picture, with tokens, times and the id of the request', async () => {
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.setInputFiles('#picture-files', sample)
      await page.click('#settings > summary')
      await page.fill('#setting-temperature-A', '0')
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual([sampleText])
      expect(await text(page, '.answer .numbers')).toEqual([
        expect.stringMatching(/^22 tokens · [\d.]+ per second · [\d.]+ m?s$/),
      ])
      expect(await text(page, '.phases dt')).toEqual(['Prepare', 'Wait', 'Look', 'Read', 'Write'])
      expect(await text(page, '.answer .request-id code')).toEqual([
        expect.stringMatching(/^req_[\da-f]{32}$/),
      ])
      expect(await text(page, '#status')).toEqual(['The answer is complete: 22 tokens'])
    })

    it('shows the answer as it is written, and stops it', async () => {
      const engine = stage.scripted()
      let release = () => {}
      const held = new Promise<void>((resolve) => (release = resolve))
      engine.beforeBatch = async (index) => (index < 2 ? undefined : held)
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.click('#ask')
      await page.getByText('A red circle', { exact: true }).waitFor()
      expect(await page.locator('.answer').getAttribute('aria-busy')).toBe('true')
      await page.keyboard.press('Escape')
      await page.getByText('Stopped').first().waitFor()
      await until(() => engine.running.size === 0)
      expect(await text(page, '.answer .text')).toEqual(['A red circle'])
      expect(await page.locator('#ask').isVisible()).toBe(true)
      release()
    })

    it('folds what the model thinks above its answer, and copies the answer alone', async () => {
      const page = await stage.visits.open('/')
      await page.route('**/generate/text', (route) =>
        route.fulfill({ contentType: 'text/event-stream', body: thoughtful }),
      )
      await enterKey(page)
      await ask(page)
      expect(await text(page, '.answer .text')).toEqual(['A circle.'])
      const thought = page.locator('.answer .thoughts details')
      expect(await thought.locator('p').isVisible()).toBe(false)
      await thought.locator('summary').click()
      expect(await thought.locator('p').innerText()).toBe('It is round.\nSo it is a circle.')
      expect(await text(page, '.answer .texts')).toEqual(['A circle.'])
    })

    it('compares two settings side by side', async () => {
      const engine = stage.scripted()
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.click('#settings > summary')
      await page.check('#compare')
      await page.fill('#setting-temperature-A', '0')
      await page.fill('#setting-temperature-B', '1.5')
      await page.fill('#setting-answers-B', '2')
      await ask(page)
      expect(await text(page, '.answer h2')).toEqual(['Answer A', 'Answer B'])
      expect(await text(page, '.answer .summary')).toEqual([
        'temperature 0',
        'temperature 1.5, answers 2',
      ])
      expect(await text(page, '.answer .text')).toEqual(
        Array.from({ length: 3 }, () => 'A red circle.'),
      )
      const asked = engine.jobs.map(({ sampling, choices = 1 }) => [sampling.temperature, choices])
      expect(asked.toSorted(([left = 0], [right = 0]) => left - right)).toEqual([
        [0, 1],
        [1.5, 2],
      ])
    })

    it('has the answer follow a JSON schema, and says when there is none', async () => {
      const page = await stage.visits.open('/')
      await enterKey(page)
      await page.click('#settings > summary')
      await page.selectOption('#setting-format-A', 'json_schema')
      await page.click('#ask')
      expect(await page.locator('#setting-json-schema-A:invalid').count()).toBe(1)
      expect(await page.locator('.answer').count()).toBe(0)
      const schema = {
        type: 'object',
        properties: { color: { enum: ['red', 'blue'] } },
        required: ['color'],
      }
      await page.fill('#setting-json-schema-A', JSON.stringify(schema))
      await ask(page)
      expect(await text(page, '.problem')).toEqual([])
      const [answer] = await text(page, '.answer .text')
      expect(['red', 'blue']).toContain((JSON.parse(answer!) as { color: string }).color)
    })

    it('takes pictures that are pasted, dropped, photographed, and the sample', async () => {
      const page = await stage.visits.open('/')
      await page.evaluate(pastePicture)
      await page.getByTitle('pasted.png').waitFor()
      await page.evaluate(dropFile)
      await page.getByTitle('dropped.tif').waitFor()
      await page.click('#add-photo')
      await page.getByRole('button', { name: 'Take the picture' }).click()
      await page.getByTitle('photo.jpg').waitFor()
      for (const name of ['pasted.png', 'dropped.tif', 'photo.jpg']) {
        await page.getByRole('button', { name: `Remove ${name}` }).click()
      }
      await page.click('#add-sample')
      await page.getByRole('img', { name: 'sample.png' }).waitFor()
      expect(await page.locator('.picture').count()).toBe(1)
    })

    it('works with the keyboard alone', async () => {
      const page = await stage.visits.open('/')
      await tabTo(page, '#add-sample')
      await page.keyboard.press('Enter')
      await page.locator('.picture').waitFor()
      await page.keyboard.press('Control+Enter')
      // The dialog has the focus.
      await page.keyboard.type(apiKey)
      await page.keyboard.press('Enter')
      await answered(page)
      expect((await text(page, '.answer .text'))[0]).toContain('circle')
      await tabTo(page, '.entry')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await page.locator('#history-empty').waitFor()
      expect(await page.locator('.entry').count()).toBe(0)
    })
  })
}

// What runs in the page is text here: the types of this project's programs do not have the interfaces of browsers.

const pastePicture = `(async () => {
  const blob = await new Promise((resolve) => document.createElement('canvas').toBlob(resolve))
  const transfer = new DataTransfer()
  transfer.items.add(new File([blob], 'pasted.png', { type: 'image/png' }))
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer }))
})()`

const dropFile = `(() => {
  const transfer = new DataTransfer()
  transfer.items.add(new File(['no picture'], 'dropped.tif', { type: 'image/tiff' }))
  const options = { dataTransfer: transfer, bubbles: true, cancelable: true }
  document.body.dispatchEvent(new DragEvent('drop', options))
})()`
