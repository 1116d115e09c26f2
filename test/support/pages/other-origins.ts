import { describe, expect, it } from 'vitest'
import { edgeRoutes } from '../../../shared/api/routes.ts'
import type { PageStage } from './page-stage.ts'

/** Web pages elsewhere, in a real browser: its preflights and what it keeps from them. */
export function describeOtherOrigins(stage: PageStage): void {
  describe('a page of another origin', () => {
    /** What a page there learns of each route: the status and the request id, or that it may not know. */
    const learned = async (origin: string) => {
      const page = await stage.browser.newPage()
      await page.goto(origin)
      const calls = Object.values(edgeRoutes).map(
        ({ method, path }) => [method, path.replaceAll(/[:{}+]/g, '')] as const,
      )
      const answers = await page.evaluate(askAll(stage.edge.url, calls))
      await page.close()
      return answers
    }

    it('that is allowed reads the answers of every route, preflights and errors included', async () => {
      const answers = await learned(stage.otherOrigin)
      expect(answers).toEqual(Object.keys(edgeRoutes).map(() => [true, true]))
    })

    it('that is not allowed learns nothing', async () => {
      const answers = await learned(stage.otherOrigin.replace('127.0.0.1', 'localhost'))
      expect(answers).toEqual(Object.keys(edgeRoutes).map(() => 'nothing'))
    })
  })
}

/** Calls with headers that need a preflight. */
function askAll(url: string, calls: readonly (readonly [method: string, path: string])[]): string {
  return `Promise.all(${JSON.stringify(calls)}.map(([method, path]) =>
    fetch(${JSON.stringify(url)} + path, { method, headers: { 'x-api-key': 'wrong', 'idempotency-key': 'a' } }).then(
      ({ status, headers }) => [status > 0, headers.has('x-request-id')],
      () => 'nothing',
    )))`
}
