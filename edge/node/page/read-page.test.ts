import { beforeAll, describe, expect, it } from 'vitest'
import type { PageFiles } from '../../page/page-files.ts'
import { pageLoader } from './load-page.ts'

describe('the pages', () => {
  let page: PageFiles
  const load = pageLoader()
  beforeAll(async () => {
    page = await load()
  })

  it('are read once', async () => {
    expect(await load()).toBe(page)
  })

  it.each(['/', '/docs'] as const)('%s name only files that are served', (path) => {
    const html = page.pages[path]
    const addresses = [...html.matchAll(/\b(?:src|href)="(\/page\/[^"]+)"/g)].map(([, url]) => url!)
    expect(addresses.length).toBeGreaterThan(5)
    const served = Object.keys(page.files).map((name) => `/page/${page.version}/${name}`)
    expect(addresses.filter((address) => !served.includes(address))).toEqual([])
    expect(html).not.toContain('="./')
  })

  it('have modules that import only what is served, without types', () => {
    const modules = Object.entries(page.files).filter(([, { type }]) => type === 'text/javascript')
    expect(modules.length).toBeGreaterThan(20)
    for (const [path, { text }] of modules) {
      for (const [, name] of text.matchAll(/^.*\bfrom '(\.[^']+)'$/gm)) {
        const imported = new URL(name!, `http://page/${path}`).pathname.slice(1)
        expect(Object.keys(page.files)).toContain(imported)
      }
      expect(text).not.toMatch(/^(interface|import type) /m)
    }
  })

  it('take only what is shared from outside of their folder', () => {
    const others = Object.keys(page.files).filter((name) => !name.startsWith('edge/page/browser/'))
    expect(others.every((name) => name.startsWith('shared/api/'))).toBe(true)
  })

  it.each(['/', '/docs'] as const)('%s have no script or style of their own', (path) => {
    expect(page.pages[path]).not.toMatch(/<style|\bstyle=|\bon\w+="|<script(?![^>]*\bsrc=)/)
  })
})
