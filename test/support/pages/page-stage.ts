import type { Browser } from 'playwright-core'
import type { RunningEdge } from '../suites/edge-suite.ts'
import type { PageVisits } from './page-visits.ts'
import type { FakeEngine } from '../backends/test-backend.ts'

/** What the tests of the pages have: an edge with the little model behind it, and a browser. */
export interface PageStage {
  readonly edge: RunningEdge
  readonly browser: Browser
  readonly visits: PageVisits
  /** An engine that answers in place of the model until the test ends; it writes when the test says so. */
  readonly scripted: () => FakeEngine
  /** Another origin, whose pages may read what the edge answers. */
  readonly otherOrigin: string
}
