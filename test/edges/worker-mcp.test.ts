import { describeMcp } from '../support/suites/mcp-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeMcp('Worker', (settings) => startWorkerd(settings))
