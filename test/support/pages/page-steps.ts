import type { Page } from 'playwright-core'

/** The root key of the edges here. */
export const apiKey = 'page-key-3f9d0c7a51b2e6aa'
export const sample = 'docs/sample.png'
export const sampleText =
  'A large blue circle at the top left and a large red triangle at the bottom right on a white background.'
export const wide = { width: 1280, height: 900 }

export function text(page: Page, selector: string): Promise<string[]> {
  return page.locator(selector).allTextContents()
}

export async function enterKey(page: Page, key = apiKey): Promise<void> {
  await page.click('#key-open')
  await page.fill('#key-field', key)
  await page.getByRole('button', { name: 'Use this key' }).click()
}

export async function ask(page: Page): Promise<void> {
  await page.click('#ask')
  await answered(page)
}

/** Waits until nothing is being asked any more. */
export async function answered(page: Page): Promise<void> {
  await page.locator('.answer:not(.running) .actions').last().waitFor()
  await page.locator('#ask').waitFor()
}

/** Presses Tab until the focus is on what the selector names. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press('Tab')
    if ((await page.locator(selector).and(page.locator(':focus')).count()) > 0) return
  }
  throw new Error(`Tab does not lead to ${selector}`)
}

/** All that this origin keeps in the browser, as text. */
export function stored(page: Page): Promise<string> {
  return page.evaluate<string>(`(async () => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const database = await done(indexedDB.open('describe'))
    const entries = await done(database.transaction('questions').objectStore('questions').getAll())
    database.close()
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, entries])
  })()`)
}
