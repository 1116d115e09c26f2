import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noChromium, openChromium } from '../support/pages/chromium.ts'
import { PageVisits } from '../support/pages/page-visits.ts'
import { endLaunch, startProduct, type Product } from './product.ts'

const tried = noChromium === undefined ? '' : `(${noChromium})`

describe.skipIf(noChromium !== undefined)(`a browser at what npm start runs ${tried}`, () => {
  let product: Product
  let browser: Browser
  beforeAll(async () => {
    product = await startProduct({})
    browser = await openChromium()
  })
  afterAll(async () => {
    await browser.close()
    await endLaunch(product)
  })

  it('has the sample described, with the key that npm start made', async () => {
    const visits = new PageVisits(browser, product.url)
    const page = await visits.open('/')
    await page.getByRole('button', { name: 'use a sample' }).click()
    await page.getByRole('img', { name: 'sample.png' }).waitFor()
    await page.getByRole('button', { name: 'Ask', exact: true }).click()
    await page.getByLabel('Key', { exact: true }).fill(product.apiKey)
    await page.getByRole('button', { name: 'Use this key' }).click()
    await page.getByText(/^The answer is complete/).waitFor()
    const [answer] = await page.locator('.answer .text').allTextContents()
    expect(answer).toMatch(/blue circle .* red triangle/)
    await page.getByRole('link', { name: 'API' }).click()
    await page.getByRole('heading', { name: 'POST /generate/image', exact: true }).waitFor()
    await visits.end()
  })
})
