import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { startNanoBackend } from '../backends/nano-backend.ts'
import { describeAsking } from '../pages/asking.ts'
import { noChromium, openChromium } from '../pages/chromium.ts'
import { describeCode } from '../pages/code.ts'
import { describeDocs } from '../pages/docs.ts'
import { describeKeeping } from '../pages/keeping.ts'
import { describeLooks } from '../pages/looks.ts'
import { describeOtherOrigins } from '../pages/other-origins.ts'
import type { PageStage } from '../pages/page-stage.ts'
import { apiKey } from '../pages/page-steps.ts'
import { PageVisits } from '../pages/page-visits.ts'
import { describeProblems } from '../pages/problems.ts'
import { describeSettings } from '../pages/settings.ts'
import { FakeEngine } from '../backends/test-backend.ts'

type StartEdge = (settings: EdgeSettings, variables: Record<string, string>) => Promise<RunningEdge>

/** Milliseconds: a browser on a busy machine takes its time. */
const timeout = 90_000

/** What an edge has a part in. */
const suitesOfEdge = [describeAsking, describeProblems, describeDocs, describeOtherOrigins]
/** What happens in the browser alone, whatever platform its files came from. */
const suitesOfBrowser = [describeKeeping, describeCode, describeLooks, describeSettings]

type Suite = (stage: PageStage) => void

/** The pages in a real browser, with the little model behind them. */
export function describePages(platform: string, start: StartEdge): void {
  describeSuites(platform, start, [...suitesOfEdge, ...suitesOfBrowser])
}

/** The part of it that depends on the platform. */
export function describePagesOfEdge(platform: string, start: StartEdge): void {
  describeSuites(platform, start, suitesOfEdge)
}

function describeSuites(platform: string, start: StartEdge, suites: readonly Suite[]): void {
  const tried = noChromium === undefined ? '' : `(${noChromium})`
  describe.skipIf(noChromium !== undefined)(`pages on ${platform} ${tried}`, { timeout }, () => {
    // Filled before the first test runs.
    const stage = {} as { -readonly [Name in keyof PageStage]: PageStage[Name] }
    let forgetScript = () => {}
    let stop = async () => {}
    beforeAll(async () => {
      const { stop: stopAll, forget, ...parts } = await setStage(start)
      stop = stopAll
      forgetScript = forget
      Object.assign(stage, parts)
    })
    afterEach(async () => {
      forgetScript()
      await stage.visits.end()
    })
    afterAll(() => stop())
    for (const describeSuite of suites) describeSuite(stage)
  })
}

async function setStage(start: StartEdge) {
  const other = createServer((_request, response) => response.end('<!doctype html>'))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const otherOrigin = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  const certificates = await createCertificates(names, Date.now())
  const nano = await startNanoBackend(certificates, () =>
    Promise.reject(new TypeError('There is no network')),
  )
  const settings = { apiKey, backendUrl: nano.url, certificates }
  const edge = await start(settings, { CORS_ORIGINS: otherOrigin })
  const browser = await openChromium()
  return {
    edge,
    browser,
    otherOrigin,
    visits: new PageVisits(browser, edge.url),
    scripted: () => (nano.script = new FakeEngine()),
    forget: () => void (nano.script = undefined),
    stop: async () => {
      await browser.close()
      other.close()
      await edge.stop()
      await nano.stop()
    },
  }
}
